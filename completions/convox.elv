# Made by `convox completions elvish`.

# Put `eval (convox completions elvish | slurp)` into ~/.config/elvish/rc.elv.

use str

set edit:completion:arg-completer[convox] = {|@words|
    var current = $words[-1]
    var answer = []
    try {
        set answer = [(e:convox __complete elvish '='$current (all $words[..-1]) 2>/dev/null | from-lines)]
    } catch e { }
    if (> (count $answer) 0) {
        for line $answer[1..] {
            var parts = [(str:split &max=2 "\t" $line)]
            var value = $parts[0]
            var suffix = ' '
            if (str:has-suffix $value '=') { set suffix = '' }
            var shown = $value
            if (> (count $parts) 1) { set shown = $value' ('$parts[1]')' }
            edit:complex-candidate $value &display=$shown &code-suffix=$suffix
        }
        if (not-eq $answer[0] none) {
            # Of `--option=path` only what follows is a path.
            var option = ''
            var path = $current
            var at = (str:index $current '=')
            if (and (str:has-prefix $current '-') (>= $at 0)) {
                set option = $current[..(+ $at 1)]
                set path = $current[(+ $at 1)..]
            }
            edit:complete-filename $path | each {|file|
                edit:complex-candidate $option$file[stem] &display=$file[display] &code-suffix=$file[code-suffix]
            }
        }
    }
}
