#!/bin/sh
# Compiles the GPU packages asked for by WITH_TINYCUDANN, WITH_PYTORCH3D and WITH_NERFACC (1 or 0) into the Python environment at hand.
# Never executed beyond its first lines: it needs github.com, and a GPU to see whether the result works.
set -eu

if [ "$WITH_TINYCUDANN$WITH_PYTORCH3D$WITH_NERFACC" = 000 ]; then
    exit 0
fi

cuda="$(python -c 'import torch; print(torch.version.cuda or "")')"
if [ -z "$cuda" ]; then
    echo "GPU packages need a torch with CUDA: add --build-arg TORCH_BUILD=cu130" >&2
    exit 1
fi

apt-get update
apt-get install --yes --no-install-recommends g++ git ninja-build python3-dev ca-certificates
rm -rf /var/lib/apt/lists/*

# The compiler comes from the index too, in the version of torch's own libraries; those have no names for the linker yet.
pip install "nvidia-cuda-nvcc==$cuda.*" "nvidia-cuda-crt==$cuda.*" "nvidia-nvvm==$cuda.*" "nvidia-cuda-cccl==$cuda.*" "setuptools<81" wheel
CUDA_HOME="$(python -c 'import sysconfig, torch; print(sysconfig.get_path("purelib") + "/nvidia/cu" + torch.version.cuda.split(".")[0])')"
export CUDA_HOME
export PATH="$CUDA_HOME/bin:$PATH"
export LIBRARY_PATH="$CUDA_HOME/lib"
for library in "$CUDA_HOME"/lib/lib*.so.*; do
    ln --symbolic --force "$library" "${library%%.so.*}.so"
done

export FORCE_CUDA=1
export TORCH_CUDA_ARCH_LIST="$CUDA_ARCHITECTURES"
TCNN_CUDA_ARCHITECTURES="$(echo "$CUDA_ARCHITECTURES" | tr --delete .)"
export TCNN_CUDA_ARCHITECTURES
if [ "$WITH_TINYCUDANN" = 1 ]; then
    pip install --no-build-isolation "git+https://github.com/NVlabs/tiny-cuda-nn@v2.0#subdirectory=bindings/torch"
fi
if [ "$WITH_PYTORCH3D" = 1 ]; then
    pip install --no-build-isolation "git+https://github.com/facebookresearch/pytorch3d@v0.7.9"
fi
if [ "$WITH_NERFACC" = 1 ]; then
    pip install --no-build-isolation "git+https://github.com/nerfstudio-project/nerfacc@v0.5.3"
fi
