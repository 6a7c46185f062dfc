// Changes one weight of a mapping and signs it anew: what no checker can see without the network, and lasnn-verify must.
//   loihi_tamper IN.lmap OUT.lmap host|memory
#include "backends/loihi/lmap.h"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

int main(int argc, char **argv) {
  using namespace lasnn::loihi;
  if (argc != 4) return std::fprintf(stderr, "usage: loihi_tamper IN OUT host|memory\n"), 2;
  std::ifstream in(argv[1], std::ios::binary);
  const std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(in), {}};
  lmap::Mapping mapping;
  std::string error;
  if (!readLmap(bytes, mapping, error)) return std::fprintf(stderr, "%s\n", error.c_str()), 1;
  if (!std::strcmp(argv[3], "host")) {
    for (lmap::HostLayer &host : *mapping.mutable_host())
      for (char &weight : *host.mutable_weight()) weight = char(-weight);
  } else { // the second lowest bit of the first weight of every list: behind its entry's format, count and first index
    for (lmap::Core &core : *mapping.mutable_cores())
      for (int axon = 0; axon < core.axon_word_size(); ++axon) {
        const size_t word = core.axon_word(axon) * 8;
        const lmap::SynapseFormat &format = core.formats((core.memory()[word] & 15) - 1);
        const size_t bit = 10 + (format.encoding() == lmap::SPARSE ? 0 : format.index_bits()) + 1;
        char &byte = (*core.mutable_memory())[word + bit / 8];
        byte = char(byte ^ 1 << bit % 8);
      }
  }
  const std::vector<uint8_t> written = writeLmap(mapping);
  std::ofstream out(argv[2], std::ios::binary);
  out.write(reinterpret_cast<const char *>(written.data()), std::streamsize(written.size()));
  return out ? 0 : 1;
}
