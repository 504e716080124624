#!/bin/sh
# Prepares the build context of the container: the Dockerfile and the files that it copies.
set -eu
usage="usage: context.sh BINARY FOLDER"
binary=${1:?$usage}
folder=${2:?$usage}
# Mozilla's list at a pinned version, so that the container is the same wherever it is built; a release has it among
# its binaries. SSL_CERT_FILE does not count: a company sets it to trust its own inspection of traffic, which the
# container is not behind. Only if there is no list, the container trusts what this machine trusts.
here=$(dirname "$0")
if [ -n "${RIGHTSIZER_CA_BUNDLE:-}" ] && [ ! -s "$RIGHTSIZER_CA_BUNDLE" ]; then
    echo "context: RIGHTSIZER_CA_BUNDLE=$RIGHTSIZER_CA_BUNDLE is missing or empty. Name a PEM file with trusted certificates" >&2
    exit 1
fi
for bundle in "${RIGHTSIZER_CA_BUNDLE:-}" "${RIGHTSIZER_BINARIES:+$RIGHTSIZER_BINARIES/ca-certificates.crt}" \
    "$here"/../.tools/layer/lib/python3*/site-packages/certifi/cacert.pem \
    /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem ""; do
    [ -z "$bundle" ] || [ ! -s "$bundle" ] || break
done
case $bundle in
/etc/*) echo "context: the container will trust what this machine trusts ($bundle); make extension installs Mozilla's list" ;;
esac
[ -n "$bundle" ] || {
    echo "context: this machine has no bundle of trusted certificates. Debian, Ubuntu: apt install ca-certificates. Or set RIGHTSIZER_CA_BUNDLE=FILE" >&2
    exit 1
}
rm -rf "$folder"
mkdir -p "$folder/empty"
install -m 644 "$(dirname "$0")/container/Dockerfile" "$folder/Dockerfile"
install -m 755 "$binary" "$folder/rightsizer"
install -m 644 "$bundle" "$folder/ca-certificates.crt"
touch "$folder/empty/.keep"
echo "context: $folder (docker build works there; make deploy does without)"
