#!/bin/sh
# Installs what Strongroom needs beside Go on Debian or Ubuntu: a C compiler
# with the C library's headers, and SoftHSM; with --test also what the tests use
# (pkcs11-tool, Python and its virtual environments, strace, the AWS command line, Chromium,
# Prometheus with its Alertmanager, other vendors' software tokens). It installs only what is missing, and is silent
# when nothing is.
set -eu

missing=
need() { # need PACKAGE TEST... - the package is missing unless the test holds.
	package=$1
	shift
	"$@" >/dev/null 2>&1 || missing="$missing $package"
}

need gcc command -v cc
need libc6-dev test -e /usr/include/stdio.h
need softhsm2 command -v softhsm2-util
if [ "${1-}" = --test ]; then
	need opensc command -v pkcs11-tool
	need python3 command -v python3
	need python3-venv python3 -c 'import ensurepip'
	need strace command -v strace
	need libnss3-tools command -v certutil
	need awscli test -x /usr/bin/aws
	need chromium command -v chromium
	need prometheus command -v promtool
	need prometheus-alertmanager command -v prometheus-alertmanager
	# The package starts a daemon, but not in a container, which has no systemd.
	[ -d /run/systemd/system ] || need opencryptoki command -v pkcsslotd
fi
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
	echo "install-deps: missing:$missing, and there is no apt-get to install them with" >&2
	exit 1
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
	as_root=sudo
	command -v sudo >/dev/null 2>&1 || {
		echo "install-deps: missing:$missing; run as root: apt-get install$missing" >&2
		exit 1
	}
fi
echo "installing$missing" >&2

# Of Prometheus and Alertmanager only the programs are wanted: their services are not to run,
# neither now nor after the next boot.
for service in prometheus prometheus-alertmanager; do
	case "$missing " in *" $service "*)
		[ ! -d /run/systemd/system ] || $as_root systemctl mask --quiet "$service"
	esac
done
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then # which asks whether a package may start its service
	printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
	$as_root chmod 755 $policy
	trap '$as_root rm -f $policy' EXIT
fi
# shellcheck disable=SC2086 # the packages are words
if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null 2>&1; then
	# The package lists may be old, or not there yet.
	$as_root apt-get update -qq
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null
fi
