# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_convox_global_optspecs
    string join \n region= profile= endpoint-url= sandbox q/quiet v/verbose h/help V/version
end

function __fish_convox_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_convox_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_convox_using_subcommand
    set -l cmd (__fish_convox_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c convox -n "__fish_convox_needs_command" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_needs_command" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_needs_command" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_needs_command" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_needs_command" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_needs_command" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_needs_command" -s V -l version -d 'Print version'
complete -c convox -n "__fish_convox_needs_command" -f -a "instances" -d 'Manage the instances of a rack'
complete -c convox -n "__fish_convox_needs_command" -f -a "rolls" -d 'Look at rolls, go on with them or undo them'
complete -c convox -n "__fish_convox_needs_command" -f -a "sandbox" -d 'Manage the little AWS account on this machine'
complete -c convox -n "__fish_convox_needs_command" -f -a "completions" -d 'Print a shell\'s completions'
complete -c convox -n "__fish_convox_using_subcommand instances; and not __fish_seen_subcommand_from keyroll" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand instances; and not __fish_seen_subcommand_from keyroll" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand instances; and not __fish_seen_subcommand_from keyroll" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand instances; and not __fish_seen_subcommand_from keyroll" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand instances; and not __fish_seen_subcommand_from keyroll" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand instances; and not __fish_seen_subcommand_from keyroll" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand instances; and not __fish_seen_subcommand_from keyroll" -s h -l help -d 'Print help'
complete -c convox -n "__fish_convox_using_subcommand instances; and not __fish_seen_subcommand_from keyroll" -f -a "keyroll" -d 'Give every instance of a rack a new SSH key'
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -s r -l rack -d 'Name of the rack [default: CONVOX_RACK, or the only one there is]' -r
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -l output -d 'What to write on stdout' -r -f -a "text\t'Lines for a person'
json\t'One JSON object a line'"
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -l key-type -d 'Kind of key pair' -r -f -a "ed25519\t'Short and fast'
rsa\t'2048 bits, for SSH clients that know nothing better'"
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -l save-key -d 'Also write the new private key to this file, which must not exist yet' -r -F
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -l wait-busy -d 'How long to wait for a stack that is busy, such as 90s or 15m' -r
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -s w -l wait -d 'Wait for the end, which is what happens anyway'
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -l detach -d 'Leave as soon as CloudFormation has taken the update'
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -l plan -d 'Say what would be done, and do nothing'
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -l keep-old -d 'Keep the old key pair'
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -s y -l yes -d 'Do not ask whether to go ahead'
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_using_subcommand rolls; and not __fish_seen_subcommand_from list show resume cancel continue" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and not __fish_seen_subcommand_from list show resume cancel continue" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and not __fish_seen_subcommand_from list show resume cancel continue" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and not __fish_seen_subcommand_from list show resume cancel continue" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand rolls; and not __fish_seen_subcommand_from list show resume cancel continue" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand rolls; and not __fish_seen_subcommand_from list show resume cancel continue" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand rolls; and not __fish_seen_subcommand_from list show resume cancel continue" -s h -l help -d 'Print help'
complete -c convox -n "__fish_convox_using_subcommand rolls; and not __fish_seen_subcommand_from list show resume cancel continue" -f -a "list" -d 'List the rolls of a rack, the newest first'
complete -c convox -n "__fish_convox_using_subcommand rolls; and not __fish_seen_subcommand_from list show resume cancel continue" -f -a "show" -d 'Show what happened in a roll'
complete -c convox -n "__fish_convox_using_subcommand rolls; and not __fish_seen_subcommand_from list show resume cancel continue" -f -a "resume" -d 'Go on with a roll that was left or interrupted'
complete -c convox -n "__fish_convox_using_subcommand rolls; and not __fish_seen_subcommand_from list show resume cancel continue" -f -a "cancel" -d 'Cancel a roll, and follow CloudFormation back to the old key'
complete -c convox -n "__fish_convox_using_subcommand rolls; and not __fish_seen_subcommand_from list show resume cancel continue" -f -a "continue" -d 'Go on with a rollback that is stuck'
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from list" -s r -l rack -d 'Name of the rack [default: CONVOX_RACK, or the only one there is]' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from list" -l output -d 'What to write on stdout' -r -f -a "text\t'Lines for a person'
json\t'One JSON object a line'"
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from list" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from list" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from list" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from list" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from show" -s r -l rack -d 'Name of the rack [default: CONVOX_RACK, or the only one there is]' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from show" -l output -d 'What to write on stdout' -r -f -a "text\t'Lines for a person'
json\t'One JSON object a line'"
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from show" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from show" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from show" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from show" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from resume" -s r -l rack -d 'Name of the rack [default: CONVOX_RACK, or the only one there is]' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from resume" -l output -d 'What to write on stdout' -r -f -a "text\t'Lines for a person'
json\t'One JSON object a line'"
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from resume" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from resume" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from resume" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from resume" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from resume" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from resume" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from resume" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from cancel" -s r -l rack -d 'Name of the rack [default: CONVOX_RACK, or the only one there is]' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from cancel" -l output -d 'What to write on stdout' -r -f -a "text\t'Lines for a person'
json\t'One JSON object a line'"
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from cancel" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from cancel" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from cancel" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from cancel" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from cancel" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from cancel" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from cancel" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from continue" -s r -l rack -d 'Name of the rack [default: CONVOX_RACK, or the only one there is]' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from continue" -l output -d 'What to write on stdout' -r -f -a "text\t'Lines for a person'
json\t'One JSON object a line'"
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from continue" -l skip -d 'Resources to leave as they are, such as Instances or Nested.Resource' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from continue" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from continue" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from continue" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from continue" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from continue" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from continue" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from continue" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and not __fish_seen_subcommand_from serve reset scenarios" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and not __fish_seen_subcommand_from serve reset scenarios" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and not __fish_seen_subcommand_from serve reset scenarios" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and not __fish_seen_subcommand_from serve reset scenarios" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and not __fish_seen_subcommand_from serve reset scenarios" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and not __fish_seen_subcommand_from serve reset scenarios" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and not __fish_seen_subcommand_from serve reset scenarios" -s h -l help -d 'Print help'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and not __fish_seen_subcommand_from serve reset scenarios" -f -a "serve" -d 'Serve it to any AWS client, on the loopback address only'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and not __fish_seen_subcommand_from serve reset scenarios" -f -a "reset" -d 'Start it afresh'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and not __fish_seen_subcommand_from serve reset scenarios" -f -a "scenarios" -d 'List the scenarios that come along'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from serve" -l port -d 'Port to listen on; 0 takes one that is free' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from serve" -l scenario -d 'Serve the world of this scenario instead: a name or a file' -r -F
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from serve" -l speed -d 'How many times faster than real time it lives, or `real`' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from serve" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from serve" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from serve" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from serve" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from serve" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from serve" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from serve" -s h -l help -d 'Print help'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from reset" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from reset" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from reset" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from reset" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from reset" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from reset" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from reset" -s h -l help -d 'Print help'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from scenarios" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from scenarios" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from scenarios" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from scenarios" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from scenarios" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from scenarios" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from scenarios" -s h -l help -d 'Print help'
complete -c convox -n "__fish_convox_using_subcommand completions" -l dir -d 'Write the files of all shells into this directory instead' -r -F
complete -c convox -n "__fish_convox_using_subcommand completions" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand completions" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand completions" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand completions" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand completions" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand completions" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand completions" -s h -l help -d 'Print help'
