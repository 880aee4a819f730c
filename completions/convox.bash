# Made by `convox completions bash`.

# For bash 3.2 and later, with or without the bash-completion package.

_convox() {
    local program=${COMP_WORDS[0]} paths='' line
    local IFS=$'\n'
    COMPREPLY=()
    # An alias, or a path that begins with a tilde, is no program.
    [[ $(type -t "$program") == file ]] || program=convox
    while read -r line; do
        if [[ -z $paths ]]; then
            paths=$line
        else
            COMPREPLY+=("$line")
        fi
    done < <("$program" __complete bash "=${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
    [[ ${#COMPREPLY[@]} -eq 0 ]] || return 0
    case $paths in
        files) compopt -o default +o nospace 2>/dev/null || COMPREPLY=($(compgen -f -- "$2")) ;;
        directories) compopt -o dirnames +o nospace 2>/dev/null || COMPREPLY=($(compgen -d -- "$2")) ;;
    esac
}

# The order means something where the newest comes first; older versions cannot keep it.
complete -o nospace -o nosort -F _convox convox 2>/dev/null ||
    complete -o nospace -F _convox convox
