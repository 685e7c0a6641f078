#!/bin/sh
# Writes src/*/PublicAPI.Unshipped.txt anew: what the libraries show to others and no release has shipped. The diff of these files is what a
# change means to them.
set -e
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT

for shipped in src/*/PublicAPI.Shipped.txt; do
    echo '#nullable enable' > "${shipped%Shipped.txt}Unshipped.txt"
done
# The analyzer names every symbol that it does not find in the files; the others would take three times as long.
only_api="-p:TreatWarningsAsErrors=false -p:EnableNETAnalyzers=false -p:EnforceCodeStyleInBuild=false -p:EnableTrimAnalyzer=false
    -p:EnableAotAnalyzer=false -p:EnableSingleFileAnalyzer=false"
for project in Kvasir.Server Kvasir.RemoteTiers Kvasir.Store; do
    if ! DOTNET_CLI_UI_LANGUAGE=en dotnet build src/$project -v quiet --nologo $only_api >> "$log"; then
        grep error "$log" >&2
        exit 1
    fi
done
for shipped in src/*/PublicAPI.Shipped.txt; do
    folder=${shipped%/*}
    sed -n "s|.* RS0016: Symbol '\(.*\)' is not part of the declared public API.*/${folder#src/}.csproj]|\1|p" "$log" |
        LC_ALL=C sort -u >> "$folder/PublicAPI.Unshipped.txt"
done
wc -l src/*/PublicAPI.Unshipped.txt
