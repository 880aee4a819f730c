# Made by `convox completions powershell`.

# Put `convox completions powershell | Out-String | Invoke-Expression` into $PROFILE.

Register-ArgumentCompleter -Native -CommandName 'convox' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $words = @($commandAst.CommandElements |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object { if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { $_.Extent.Text } })
    $program = if (Get-Command $words[0] -CommandType Application -ErrorAction Ignore) { $words[0] } else { 'convox' }
    $answer = @(& $program __complete powershell "=$wordToComplete" @words 2>$null)

    # Where nothing is answered, PowerShell completes paths by itself.
    $answer | Select-Object -Skip 1 | ForEach-Object {
        $value, $help = $_ -split "`t", 2
        if (-not $help) { $help = $value }
        $text = if ($value -match '[\s''"`$;|&(){}@#<>,]') { "'" + $value.Replace("'", "''") + "'" } else { $value }
        [System.Management.Automation.CompletionResult]::new($text, $value, 'ParameterValue', $help)
    }
}
