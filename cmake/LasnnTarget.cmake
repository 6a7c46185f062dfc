# One place for the flags of our own targets; never directory-wide.
add_library(lasnn_options INTERFACE)
target_compile_options(lasnn_options INTERFACE
  $<$<COMPILE_LANGUAGE:C,CXX>:-Wall -Wextra>
  # g++ 12 warns of overlapping memcpy inside std::string where there is none (GCC bug 105329)
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<COMPILE_LANGUAGE:CXX>>:-Wno-restrict>
  $<$<AND:$<BOOL:${LASNN_WERROR}>,$<COMPILE_LANGUAGE:C,CXX>>:-Werror>)
if(LASNN_SANITIZE)
  target_compile_options(lasnn_options INTERFACE -fsanitize=address,undefined -fno-omit-frame-pointer)
  target_link_options(lasnn_options INTERFACE -fsanitize=address,undefined)
endif()
# The install set holds it because the static runtime library links it.
install(TARGETS lasnn_options EXPORT lasnnTargets)
