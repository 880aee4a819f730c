export action user new name old kept home
if [ -z "$home" ]; then
  echo "there is no user $user" >&2
  exit 3
fi
cd /
as_user() {
  if [ "$(id -u)" = "$(id -u "$user")" ]; then
    sh -c "$1"
  elif command -v runuser >/dev/null; then
    runuser -u "$user" -- sh -c "$1"
  elif command -v setpriv >/dev/null; then
    setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups -- sh -c "$1"
  else
    su -s /bin/sh "$user" -c "$1"
  fi
}
