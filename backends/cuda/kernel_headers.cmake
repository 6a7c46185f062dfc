# Writes the kernel headers as C++ string literals: cmake -DOUT=FILE -DHEADERS=a.h;b.h -P kernel_headers.cmake
set(text "")
foreach(header IN LISTS HEADERS)
  get_filename_component(name ${header} NAME)
  file(READ ${header} content)
  string(APPEND text "{\"${name}\", R\"kernel(${content})kernel\"},\n")
endforeach()
file(WRITE ${OUT} "${text}")
