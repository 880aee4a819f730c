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
        if (not-eq $answer[0] none) { edit:complete-filename $current }
    }
}
