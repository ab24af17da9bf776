// Prints the instruction sets that PITH_ISA may name on this machine, slowest first: for scripts.
#include <iostream>

#include "base/cpu.h"

int main() {
  for (const pith::Isa isa : pith::AvailableIsas()) std::cout << pith::IsaName(isa) << '\n';
}
