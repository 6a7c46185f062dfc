import os
import sys
import lit.formats

config.name = "lasnn"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir"]
config.excludes = ["tools"]  # models that its own test compiles
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.lasnn_build, "tests", "lit")
config.environment["PATH"] = os.pathsep.join([config.lasnn_bin, config.llvm_tools, config.environment["PATH"]])
config.substitutions.append(("%python", sys.executable))
