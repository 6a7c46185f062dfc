# The CUDA program, its device code and its emulation: no MLIR, and neither a GPU nor the CUDA toolkit to build. NVRTC is found at run time.
if(NOT TARGET lasnn_cuda_program)
  set(kernels ${PROJECT_SOURCE_DIR}/runtime/cuda/arguments.h)
  foreach(name device shape neuron four event skip depthwise product dense split simple kernels)
    list(APPEND kernels ${CMAKE_CURRENT_LIST_DIR}/kernels/${name}.h)
  endforeach()
  set(generated ${PROJECT_BINARY_DIR}/backends/cuda)
  add_custom_command(OUTPUT ${generated}/cuda_kernel_headers.inc
    COMMAND ${CMAKE_COMMAND} -DOUT=${generated}/cuda_kernel_headers.inc "-DFILES=${kernels}" -P ${PROJECT_SOURCE_DIR}/cmake/embed_texts.cmake
    DEPENDS ${kernels} ${PROJECT_SOURCE_DIR}/cmake/embed_texts.cmake VERBATIM)
  add_library(lasnn_cuda_program STATIC
    ${CMAKE_CURRENT_LIST_DIR}/program.cpp ${CMAKE_CURRENT_LIST_DIR}/fuse.cpp ${CMAKE_CURRENT_LIST_DIR}/choose.cpp ${CMAKE_CURRENT_LIST_DIR}/forms.cpp
    ${CMAKE_CURRENT_LIST_DIR}/pack.cpp ${CMAKE_CURRENT_LIST_DIR}/source.cpp ${CMAKE_CURRENT_LIST_DIR}/nvrtc.cpp ${CMAKE_CURRENT_LIST_DIR}/emulate.cpp
    ${CMAKE_CURRENT_LIST_DIR}/host.cpp ${generated}/cuda_kernel_headers.inc)
  target_include_directories(lasnn_cuda_program PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/runtime PRIVATE ${generated})
  target_link_libraries(lasnn_cuda_program PRIVATE lasnn_options ${CMAKE_DL_LIBS})
endif()
