// The table of corpora: addresses, sizes and SHA-256 of archives and files.
//
// None of the sums was computed from a download of this project's own. Each archive's was found in at least three
// public repositories of different people that fetch from the same address, each file's in at least two, or computed
// from a copy at hand; where sources pin both, they agree on which files belong to which archive:
//   cantrbry.tar.gz, calgary.tar.gz   Yocto recipes of two vendors (with MD5 sums beside), benchmark scripts, fetch
//   scripts silesia.zip                       scripts that fetch from the author's address; other zips of the same
//   files exist enwik8.zip, text8.zip             DataDeps (Julia), training scripts in Python, Haskell and Scala
//   Canterbury's files                a fetch script and the tests of an LZ library; six computed here, equal
//   Silesia's files                   four scripts, and the decompression tests of tamp
//   Calgary's files                   computed here from copies whose SHA-1 equal those of the
//   pfalcon/canterbury-corpus
//                                     repository (bib, book1, paper1, trans); two from the tests of an archive library
//                                     (geo; pic, which is Canterbury's ptt5). For the others no SHA-256 was to be
//                                     found: they are what is in the archive.
#include <numeric>

#include "bench/corpora.h"

namespace pith::bench {
namespace {

constexpr CorpusFile kCanterbury[] = {
    {"alice29.txt", 152089, "7467306ee0feed4971260f3c87421154a05be571d944e9cb021a5713700c38f0"},
    {"asyoulik.txt", 125179, "eaa3526fe53859f34ecdf255712f9ecf0b2c903451d4755b2edaa2e2599cb0fc"},
    {"cp.html", 24603, "e0cd21cef5b6c4069461e949be100080c3ce887de6f1dd8626c480528efaaf61"},
    {"fields.c", 11150, "85d73e354cc50cec76cb5a50537cf8dc035f8cbb8480f9e1cbe2f7d6c23393c7"},
    {"grammar.lsp", 3721, "1b0805dfc0ae706b35aac2bb4e15f02485efd24dda5dbd29de7b2f84d1a88c15"},
    {"kennedy.xls", 1029744, "9af47239ca29dfe20e633f80bbbb9a4cc9783d0803d7b2b5626f42e4c3790420"},
    {"lcet10.txt", 426754, "5314ba1dbb03f471df88bec6cd120a938ef60d0fd3511c5c1dce61bf7463245f"},
    {"plrabn12.txt", 481861, "07e2e0b461af78c7c647cb53dab39de560198e16f799b4516eccf0fbd69f764c"},
    {"ptt5", 513216, "0ec3a75089bb52342813496b17e51377bc9eba3cb519a444d67025354841d650"},
    {"sum", 38240, "ee5733cd76ecc2f9d8ff156adc3c02a7a851051dcf43a2d56ff4ee4ff606bdb3"},
    {"xargs.1", 4227, "c58aeb5d2d1e12751d47e7412b45784405fc30a5671b03d480fa05776e183619"},
};

// Eighteen files: papers 3 to 6 are in the archive, though many tables leave them out.
constexpr CorpusFile kCalgary[] = {
    {"bib", 111261, "0f1a13936e358191533aca4a32ff42906d1b7f641f3afb0a90458b2410419fcf"},
    {"book1", 768771, "9ffa47cd93bccd732f20e0c304203cfbc1b8a91bedac536e2d8f6051003d9951"},
    {"book2", 610856, ""},
    {"geo", 102400, "913ff6f45610599020c02f543a0d5a1f46cf772412e25a568b683d23db8c447d"},
    {"news", 377109, ""},
    {"obj1", 21504, ""},
    {"obj2", 246814, ""},
    {"paper1", 53161, "8d9c42d9fa58b5bce1a8b5fae3cc27c9eb7cc7a032bc12a633d44e816497e143"},
    {"paper2", 82199, ""},
    {"paper3", 46526, ""},
    {"paper4", 13286, ""},
    {"paper5", 11954, ""},
    {"paper6", 38105, ""},
    {"pic", 513216, "0ec3a75089bb52342813496b17e51377bc9eba3cb519a444d67025354841d650"},
    {"progc", 39611, ""},
    {"progl", 71646, ""},
    {"progp", 49379, ""},
    {"trans", 93695, "117a00c6af3e1c57f20013a8f1b468158f70634f685a348bedb7e4069cdd576a"},
};

constexpr CorpusFile kSilesia[] = {
    {"dickens", 10192446, "b24c37886142e11d0ee687db6ab06f936207aa7f2ea1fd1d9a36763c7a507e6a"},
    {"mozilla", 51220480, "657fc3764b0c75ac9de9623125705831ebbfbe08fed248df73bc2dc66e2a963b"},
    {"mr", 9970564, "68637ed52e3e4860174ed2dc0840ac77d5f1a60abbcb13770d5754e3774d53e6"},
    {"nci", 33553445, "fc63a31770947b8c2062d3b19ca94c00485a232bb91b502021948fee983e1635"},
    {"ooffice", 6152192, "e7ee013880d34dd5208283d0d3d91b07f442e067454276095ded14f322a656eb"},
    {"osdb", 10085684, "60f027179302ca3ad87c58ac90b6be72ec23588aaa7a3b7fe8ecc0f11def3fa3"},
    {"reymont", 6627202, "0eac0114a3dfe6e2ee1f345a0f79d653cb26c3bc9f0ed79238af4933422b7578"},
    {"samba", 21606400, "93ba07bc44d8267789c1d911992f40b089ffa2140b4a160fac11ccae9a40e7b2"},
    {"sao", 7251944, "c2d0ea2cc59d4c21b7fe43a71499342a00cbe530a1d5548770e91ecd6214adcc"},
    {"webster", 41458703, "6a68f69b26daf09f9dd84f7470368553194a0b294fcfa80f1604efb11143a383"},
    {"x-ray", 8474240, "7de9fce1405dc44ae5e6813ed21cd5751e761bd4265655a005d39b9685d1c9ad"},
    {"xml", 5345280, "0e82e54e695c1938e4193448022543845b33020c8be6bf3bf3ead2224903e08c"},
};

constexpr CorpusFile kEnwik8[] = {
    {"enwik8", 100000000, "2b49720ec4d78c3c9fabaee6e4179a5e997302b3a70029f30f2d582218c024a8"},
};

constexpr CorpusFile kText8[] = {
    {"text8", 100000000, "6e890197040d37d85beb962ae1f041ff1d9a9ca8d20c7d99c85027eebf51dca7"},
};

// mattmahoney.net by http, as its pages have it: not everybody reaches it by https, and the sum says what came.
constexpr CorpusInfo kCorpora[] = {
    {"canterbury", "Canterbury corpus: 11 small files of many kinds",
     "https://corpus.canterbury.ac.nz/resources/cantrbry.tar.gz", 739071,
     "f140e8a5b73d3f53198555a63bfb827889394a42f20825df33c810c3d5e3f8fb", kCanterbury},
    {"calgary", "Calgary corpus: 18 small files, 1987, mostly text",
     "https://corpus.canterbury.ac.nz/resources/calgary.tar.gz", 1070276,
     "e109eebdc19c5cee533c58bd6a49a4be3a77cc52f84ba234a089148a4f2093b7", kCalgary},
    {"silesia", "Silesia corpus: 12 large files of many kinds", "https://sun.aei.polsl.pl/~sdeor/corpus/silesia.zip",
     68182744, "0626e25f45c0ffb5dc801f13b7c82a3b75743ba07e3a71835a41e3d9f63c77af", kSilesia},
    {"enwik8", "the first 100 MB of the English Wikipedia of 2006, XML", "http://mattmahoney.net/dc/enwik8.zip",
     36445475, "547994d9980ebed1288380d652999f38a14fe291a6247c157c3d33d4932534bc", kEnwik8},
    {"text8", "100 MB of that Wikipedia's words: a to z and blanks", "http://mattmahoney.net/dc/text8.zip", 31344016,
     "a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232", kText8},
};

}  // namespace

std::span<const CorpusInfo> Corpora() { return kCorpora; }

uint64_t CorpusInfo::bytes() const {
  return std::accumulate(files.begin(), files.end(), uint64_t{0},
                         [](uint64_t sum, const CorpusFile& file) { return sum + file.bytes; });
}

}  // namespace pith::bench
