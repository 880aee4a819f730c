umask 077
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
LC_ALL=C
export PATH LC_ALL
unset SSH_AUTH_SOCK
unproven() {
  echo "not proven: $1" >&2
  exit 4
}
still_in() {
  echo "$1" >&2
  exit 4
}
setting() {
  printf "%s\n" "$settings" | sed -n "s/^$1 //p"
}
# What is to be asked, and where it listens. Nothing is changed where this is not known.
find_sshd() {
  sshd=$(command -v sshd) || unproven "there is no sshd"
  command -v ssh >/dev/null || unproven "there is no ssh client"
  settings=$("$sshd" -T -C "user=$user,host=localhost,addr=127.0.0.1" 2>/dev/null) ||
    unproven "sshd does not tell its settings"
  listens=$(setting listenaddress | grep -v "^\[" | head -n 1)
  [ -n "$listens" ] || listens=$(setting listenaddress | head -n 1)
  [ -n "$listens" ] || unproven "sshd does not tell where it listens"
  listens=${listens%% *}
  port=${listens##*:}
  host=${listens%:*}
  case "$host" in
    0.0.0.0) host=127.0.0.1 ;;
    "[::]") host=::1 ;;
    "["*) host=$(printf "%s" "$host" | tr -d "[]") ;;
  esac
  limit=
  if command -v timeout >/dev/null; then limit="timeout 20"; fi
  tmp=$(mktemp -d) || unproven "there is no room for a temporary file"
  trap 'rm -rf -- "$tmp"' EXIT
  trap 'exit 5' HUP INT TERM
}
# Offers sshd a public key, and it says whether it would take a signature of it. The private half is
# not here, so no login comes of it.
offer() {
  printf "%s\n" "$1" >"$tmp/key"
  said=$($limit ssh -v -F /dev/null -n -T -p "$port" -l "$user" -i "$tmp/key" \
    -o BatchMode=yes -o IdentitiesOnly=yes -o PubkeyAuthentication=yes \
    -o PreferredAuthentications=publickey -o ConnectTimeout=10 \
    -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
    -o GlobalKnownHostsFile=/dev/null "$host" true 2>&1)
  case "$said" in
    *"debug1: Server accepts key"*) answer=yes ;;
    *"public key: $tmp/key"*"Permission denied ("*) answer=no ;;
    *"Permission denied ("*) answer=unoffered ;;
    *) answer=unknown ;;
  esac
  last=$(printf "%s\n" "$said" | grep -v "^debug1: " | tail -n 1)
}
files_of_sshd() {
  set -f
  for file in $(setting authorizedkeysfile); do
    file=$(printf "%s" "$file" | sed "s|%h|$home|g; s|%u|$user|g; s|%%|%|g")
    case "$file" in
      none) ;;
      /*) echo "$file" ;;
      *) echo "$home/$file" ;;
    esac
  done
}
why_refused() {
  kind=${new%% *}
  taken=",$(setting pubkeyacceptedalgorithms)$(setting pubkeyacceptedkeytypes),"
  case "$taken" in
    *"*"* | *"@all"* | *",$kind,"*) is_taken=yes ;;
    *) is_taken=no ;;
  esac
  case "$kind$taken" in ssh-rsa,*rsa-sha2-*) is_taken=yes ;; esac
  files=$(files_of_sshd)
  if [ "$is_taken" = no ]; then
    echo "sshd takes no keys of the type $kind"
  elif ! printf "%s\n" "$files" | grep -qxF -e "$home/.ssh/authorized_keys"; then
    echo "sshd reads $(echo $files), and not $home/.ssh/authorized_keys"
  else
    echo "sshd refuses the new key to $user"
  fi
}
prove_new() {
  if [ "$(setting pubkeyauthentication)" = no ]; then unproven "sshd takes no public keys"; fi
  offer "$new"
  case "$answer" in
    yes) ;;
    no) unproven "$(why_refused)" ;;
    *) unproven "sshd was not offered the new key: $last" ;;
  esac
}
names_old() {
  as_user '[ -f "$file" ] && grep -qF -e "$old" -e "$kept" -- "$file"'
}
prove_refused() {
  offer "$1"
  case "$answer" in
    no) return ;;
    yes) still_in "sshd still takes the old key, out of no file that it reads for $user" ;;
    unknown) unproven "whether sshd refuses the old key is not known: $last" ;;
  esac
  # A type that the client has given up: then the files say it, if nothing else is asked.
  command=$(setting authorizedkeyscommand)
  case "$command" in
    "" | none) ;;
    *) unproven "sshd asks $command too, and ssh does not offer it the old key" ;;
  esac
}
prove_old() {
  files_of_sshd >"$tmp/files"
  while read -r file; do
    export file
    if names_old </dev/null; then still_in "sshd reads $file, which names the old key"; fi
  done <"$tmp/files"
  prove_refused "$old_kind $old"
  if [ "$kept" != "$old" ]; then prove_refused "$kept_kind $kept"; fi
}
find_sshd
case "$action" in
  add)
    change || exit $?
    prove_new
    echo "sshd: new=yes"
    ;;
  remove)
    prove_new
    change || exit $?
    echo "sshd: new=yes"
    ;;
  *)
    change || exit $?
    prove_new
    prove_old
    echo "sshd: new=yes old=no"
    ;;
esac
