# Every .mlir below tests/ is a test of lasnn-opt; one CTest entry runs them all. By hand, from the build folder:
#   python3 /usr/lib/llvm-19/build/utils/lit/lit.py -sv tests/lit --filter Quantize
find_program(LASNN_LIT NAMES lit lit.py llvm-lit HINTS /usr/lib/llvm-19/build/utils/lit ${LLVM_TOOLS_BINARY_DIR})
find_package(Python3 COMPONENTS Interpreter)
if(LASNN_LIT AND Python3_FOUND)
  configure_file(${CMAKE_CURRENT_LIST_DIR}/lit.site.cfg.py.in ${PROJECT_BINARY_DIR}/tests/lit/lit.site.cfg.py @ONLY)
  add_test(NAME lit COMMAND ${Python3_EXECUTABLE} ${LASNN_LIT} -sv ${PROJECT_BINARY_DIR}/tests/lit)
  set_tests_properties(lit PROPERTIES LABELS passes)
else()
  message(STATUS "tests of passes (lit): off, not found: lit or Python (install llvm-19-tools)")
  add_test(NAME lit COMMAND ${CMAKE_COMMAND} -E echo "lit was not found")
  set_tests_properties(lit PROPERTIES SKIP_REGULAR_EXPRESSION "lit was not found")
endif()
