// Taking more than is allowed: memory, processes, disk. For swage-escape alone (escape_main.cc).
//
// Each takes AMOUNT and holds it for SECONDS, because limits that are counted need time to see it;
// amounts are small and bounded here, whatever is asked for. 0 = got everything, and kept it.
#pragma once

namespace swage::take {

int Memory(char** arguments);          ///< MIB SECONDS, spread over several processes
int NamelessMemory(char** arguments);  ///< MIB SECONDS, in a file without a name
int Processes(char** arguments);       ///< COUNT SECONDS
int Threads(char** arguments);         ///< COUNT SECONDS
int Disk(char** arguments);            ///< MIB SECONDS, in many files below this directory
int NamelessDisk(char** arguments);    ///< MIB SECONDS, in a file whose name is removed

}  // namespace swage::take
