# Made by `convox completions fish`.

# As a file `convox.fish` in ~/.config/fish/completions.

function __convox_complete
    set -l current (commandline -ct)
    set -l words (commandline -opc)
    set -l program $words[1]
    command -q -- $program; or set program convox
    set -l answer ($program __complete fish "=$current" $words 2>/dev/null)
    set -q answer[1]; or return
    set -l paths $answer[1]
    set -e answer[1]
    set -q answer[1]; and printf '%s\n' $answer

    # A path may be the value of an option, as in --save-key=FILE.
    set -l option (string match -r -- '^-[^=]*=' $current)
    set -l path (string replace -r -- '^-[^=]*=' '' $current)
    switch $paths
        case files
            set -l found (__fish_complete_path $path)
            set -q found[1]; and printf "$option%s\n" $found
        case directories
            set -l found (__fish_complete_directories $path)
            set -q found[1]; and printf "$option%s\n" $found
    end
end

complete --command convox --no-files --keep-order --arguments '(__convox_complete)'
