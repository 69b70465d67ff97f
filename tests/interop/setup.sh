#!/bin/sh
# Installs the real servers and clients that tests/interop meets; changes nothing when all is there.
#
# The POP3 server packages exclude each other (each is "the" pop3-server), and a test needs programs,
# not services. So Dovecot and Mailutils, which share a machine, are installed; popa3d and Courier's
# pop3d are unpacked from their packages into $prefix, and get by hand the little that their install
# scripts would have made: an account to drop privileges to, and a PAM service.
#
# popa3d and Courier know system accounts only. They get one for the tests: no shell, no home but a
# Maildir, and a password made here, so that no machine has an account with a published password.
set -eu

prefix=/opt/poptape-interop
account=poptape-test
home=/var/lib/$account
policy=/usr/sbin/policy-rc.d

[ "$(id -u)" -eq 0 ] || exec sudo sh "$0" "$@"

quietly() {
    log=$(mktemp)
    "$@" >"$log" 2>&1 || { code=$?; cat "$log" >&2; rm -f "$log"; exit "$code"; }
    rm -f "$log"
}

fetch_lists() {
    [ -n "${lists_are_fresh:-}" ] || quietly apt-get update
    lists_are_fresh=1
}

# Packages like to start what they bring. A policy of our own forbids it while apt runs.
forbid_daemons() {
    # A backup that is already there is the machine's own policy, left by a run that was killed.
    [ -e "$policy.poptape" ] || [ ! -e "$policy" ] || mv "$policy" "$policy.poptape"
    trap allow_daemons EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
}

allow_daemons() {
    rm -f "$policy"
    [ ! -e "$policy.poptape" ] || mv "$policy.poptape" "$policy"
    trap - EXIT HUP INT TERM
}

missing=
for package in \
    dovecot-pop3d mailutils-pop3d \
    courier-authdaemon libcourier-unicode4 libidn12 \
    curl fetchmail mpop getmail6 mutt bsdutils tcpdump tshark python3 python3-pytest perl openssl libfaketime strace
do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || :)
    [ "$state" = installed ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
    fetch_lists
    forbid_daemons
    # shellcheck disable=SC2086 # a list of words
    DEBIAN_FRONTEND=noninteractive quietly apt-get install -y --no-install-recommends $missing
    allow_daemons
fi

unpack() { # PACKAGE PROGRAM
    [ ! -x "$prefix/$2" ] || return 0
    fetch_lists
    scratch=$(mktemp -d)
    (cd "$scratch" && quietly apt-get -o APT::Sandbox::User=root download "$1")
    mkdir -p "$prefix"
    dpkg-deb -x "$scratch"/*.deb "$prefix"
    rm -r "$scratch"
}
unpack popa3d usr/sbin/popa3d
unpack courier-pop usr/lib/courier/courier/courierpop3d

for service in popa3d pop3; do
    [ -e "/etc/pam.d/$service" ] || cp "$prefix/etc/pam.d/$service" /etc/pam.d/
done

getent passwd popa3d >/dev/null ||
    useradd --system --user-group --no-create-home --home-dir /var/lib/popa3d --shell /usr/sbin/nologin popa3d
mkdir -p /var/lib/popa3d

if ! getent passwd $account >/dev/null || [ ! -e "$prefix/password" ]; then
    getent passwd $account >/dev/null ||
        useradd --system --user-group --no-create-home --home-dir $home --shell /usr/sbin/nologin $account
    # Two words: a space in a password is where proxies, servers and clients disagree first.
    (umask 077 && printf 'two words %s' "$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')" >"$prefix/password")
    printf '%s:%s\n' $account "$(cat "$prefix/password")" | chpasswd
fi
mkdir -p $home
chown $account: $home
