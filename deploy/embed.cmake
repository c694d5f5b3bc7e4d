# swage_embed(TARGET FOLDER): every file of FOLDER that is not C++ becomes a constant of TARGET.
#
# The target's sources include "FOLDER/embedded.h" and call EmbeddedFile("name"); the bytes are in the
# binary, so a deployment is one file. Source: the assembler's .incbin, which costs no compile time.
function(swage_embed target folder)
  set(root ${PROJECT_SOURCE_DIR}/${folder})
  file(GLOB files CONFIGURE_DEPENDS ${root}/*)
  list(FILTER files EXCLUDE REGEX "\\.(cc|h)$")
  string(MAKE_C_IDENTIFIER ${folder} id)
  set(out ${PROJECT_BINARY_DIR}/embedded/${folder})
  file(MAKE_DIRECTORY ${out})
  set(decls "")
  set(rows "")
  set(n 0)
  foreach(file ${files})
    if(IS_DIRECTORY ${file})
      continue()
    endif()
    get_filename_component(name ${file} NAME)
    set(sym ${id}_${n})
    string(APPEND decls "extern \"C\" const char ${sym}[];\nextern \"C\" const char ${sym}_end[];\n"
      "asm(\".pushsection .rodata\\n.global ${sym}\\n${sym}:\\n.incbin \\\"${file}\\\"\\n"
      ".global ${sym}_end\\n${sym}_end:\\n.byte 0\\n.popsection\\n\");\n")
    string(APPEND rows
      "  if (name == \"${name}\") return {${sym}, static_cast<std::size_t>(${sym}_end - ${sym})};\n")
    math(EXPR n "${n} + 1")
  endforeach()
  file(CONFIGURE OUTPUT ${out}/embedded.h CONTENT
"#pragma once
#include <string_view>
namespace swage::${id} {
/// The bytes of the embedded file, or an empty view when there is no such file.
std::string_view EmbeddedFile(std::string_view name);
}  // namespace swage::${id}
" @ONLY)
  file(CONFIGURE OUTPUT ${out}/embedded.cc CONTENT
"#include \"${folder}/embedded.h\"
${decls}namespace swage::${id} {
std::string_view EmbeddedFile([[maybe_unused]] std::string_view name) {
${rows}  return {};
}
}  // namespace swage::${id}
" @ONLY)
  target_sources(${target} PRIVATE ${out}/embedded.cc)
  set_source_files_properties(${out}/embedded.cc PROPERTIES OBJECT_DEPENDS "${files}")
  target_include_directories(${target} PRIVATE ${PROJECT_BINARY_DIR}/embedded)
endfunction()
