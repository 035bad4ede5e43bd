#!/bin/sh
# What the tests take from the system: for the firewall lab Suricata, the clients of a notebook and, for
# root, the network tools; for the local AWS a Python that makes virtual environments; and a C compiler.
# With the argument `browser`, which only the tests need, also Chromium, and a font for it.
# Says nothing when all is there. As root it installs what is missing; as anyone else it says in one line
# what to run.
set -eu

PATH=$PATH:/usr/sbin:/sbin
missing=
need() {
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}

user=$(id -u)
need suricata suricata
# Rust's linker, and the C of its cryptography.
need cc "gcc libc6-dev"
need git git
need wget wget
need python3 python3
# Debian's own Python comes without what `python3 -m venv` needs.
python3 -c 'import venv, ensurepip' 2>/dev/null || missing="$missing python3-venv"
need pip3 python3-pip
[ -e /etc/ssl/certs/ca-certificates.crt ] || missing="$missing ca-certificates"
if [ "${1-}" = browser ]; then
    need chromium "chromium fonts-dejavu-core"
fi
if [ "$user" = 0 ]; then
    need ip iproute2
    need ethtool ethtool
fi
[ -n "$missing" ] || exit 0

script=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/packages.sh
if [ "$user" != 0 ]; then
    echo "The tests need$missing. Run: sudo $script${1:+ $1}" >&2
    exit 1
fi
if ! command -v apt-get >/dev/null; then
    echo "The tests need$missing; there is no apt-get here, so install them by hand." >&2
    exit 1
fi

echo "Installing$missing for the tests ..." >&2
log=$(mktemp)
guard=/usr/sbin/policy-rc.d
guarded=
clean_up() {
    status=$?
    [ -z "$guarded" ] || rm -f "$guard"
    [ "$status" = 0 ] || cat "$log" >&2
    rm -f "$log"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# The package would start Suricata on this machine's own network. Only where nobody has a say yet.
if [ ! -e "$guard" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$guard"
    chmod 755 "$guard"
    guarded=yes
fi

export DEBIAN_FRONTEND=noninteractive
apt() {
    apt-get --quiet --yes --option Acquire::Retries=3 "$@" >>"$log" 2>&1
}
candidate() {
    apt-cache policy suricata | grep -q "Candidate: [0-9]${1-}"
}
install() {
    apt install --no-install-recommends "$@"
}

apt update
case " $missing " in
*" suricata "*)
    # Debian 12 has it in its backports, beside the archive that this machine takes its packages from.
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    if ! candidate; then
        archive=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $codename" 'Origin: Debian' | head -n 1)
        keys=/usr/share/keyrings/debian-archive-keyring.gpg
        if [ -z "$archive" ] || [ ! -e "$keys" ]; then
            echo "This system's packages have no suricata, and it isn't Debian: install version 7 by hand." >&2
            exit 1
        fi
        echo "deb [signed-by=$keys] $archive $codename-backports main" \
            >/etc/apt/sources.list.d/studio-egress-backports.list
        apt update
    fi
    # By itself where it comes from the backports, which apt takes nothing from that isn't asked of them:
    # its libraries have to come from there, too, and nothing else may.
    if candidate '.*~bpo'; then
        install --target-release "$codename-backports" suricata
    else
        install suricata
    fi
    # Nor at the next start of the machine.
    if command -v systemctl >/dev/null && ! systemctl disable suricata.service >>"$log" 2>&1; then
        echo "suricata.service could not be disabled: it would start with this machine. Disable it by hand." >&2
    fi
    missing=$(echo "$missing" | sed 's/ suricata//')
    ;;
esac
# shellcheck disable=SC2086 # a list of names
[ -z "$missing" ] || install $missing
