#!/bin/sh
# Trains small students of every kind of graph on a few images, then lets onnx_oracle.py judge their exports.
# oracle_test.sh PYTHON LASNN_DISTILL WORK_FOLDER; exit 77: skipped.
set -eu
python=$1 tool=$2 work=$3
here=$(dirname "$0")
data=fashion-mnist:/usr/share/datasets/fashion-mnist
if [ ! -d "${data#*:}" ]; then echo "SKIPPED: ${data#*:} is absent"; exit 77; fi
"$python" -c 'import onnx, onnxruntime' 2>/dev/null || { echo "SKIPPED: $python has no onnx and onnxruntime"; exit 77; }
mkdir -p "$work"
check() { # ARCH then the student's options
  arch=$1; shift
  echo "== $arch $*"
  "$tool" student --no-distill --init=random --arch="$arch" --data=$data --limit=500 --epochs=1 --batch=50 -o "$work/student.pt" "$@" 2>/dev/null
  "$python" "$here/onnx_oracle.py" "$tool" "$work/student.pt" $data 64
}
check cnn-small
check mlp -T 3 --reset=subtract --neuron=plif
check vgg5 -T 2 --neuron=if --reset=subtract --v-threshold=0.7
check resnet -T 2 --beta=0.75
