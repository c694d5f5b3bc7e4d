// The only place that names concrete forges and engines.
int main() {
  return 0;
}
