#!/bin/sh
# Compiles all shaders into Compiled/, or into the directory that is given. Needs glslangValidator; a test compares.
set -e
cd "$(dirname "$0")"
out="${1:-Compiled}"
for shader in *.comp; do
    name="${shader%.comp}"
    if [ "$name" = product ]; then
        for type in F32 F16 BF16 Q8_0 Q4_0 Q4_K Q6_K; do
            glslangValidator -V --quiet --target-env vulkan1.1 -DWEIGHTS_$type "$shader" -o "$out/product_$(echo $type | tr A-Z a-z).spv"
        done
    else
        glslangValidator -V --quiet --target-env vulkan1.1 "$shader" -o "$out/$name.spv"
    fi
done
