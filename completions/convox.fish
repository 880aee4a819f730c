# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_convox_global_optspecs
    string join \n region= profile= endpoint-url= sandbox via= tls-ca= q/quiet v/verbose h/help V/version
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
complete -c convox -n "__fish_convox_needs_command" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_needs_command" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
complete -c convox -n "__fish_convox_needs_command" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_needs_command" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_needs_command" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_needs_command" -s V -l version -d 'Print version'
complete -c convox -n "__fish_convox_needs_command" -f -a "login" -d 'Log in to a console or a rack, and make it the one that commands are for'
complete -c convox -n "__fish_convox_needs_command" -f -a "logout" -d 'Forget the stored password of a console or a rack'
complete -c convox -n "__fish_convox_needs_command" -f -a "racks" -d 'List racks'
complete -c convox -n "__fish_convox_needs_command" -f -a "switch" -d 'Show the rack that is chosen at a console, or choose another'
complete -c convox -n "__fish_convox_needs_command" -f -a "rack" -d 'Show a rack, or do something with it'
complete -c convox -n "__fish_convox_needs_command" -f -a "instances" -d 'List the instances of a rack, or do something with them'
complete -c convox -n "__fish_convox_needs_command" -f -a "api" -d 'Ask a rack\'s HTTP API directly'
complete -c convox -n "__fish_convox_needs_command" -f -a "version" -d 'Print the versions of this program and of the rack'
complete -c convox -n "__fish_convox_needs_command" -f -a "rolls" -d 'Look at rolls, go on with them or undo them'
complete -c convox -n "__fish_convox_needs_command" -f -a "sandbox" -d 'Manage the little AWS account on this machine'
complete -c convox -n "__fish_convox_needs_command" -f -a "completions" -d 'Print a shell\'s completions'
complete -c convox -n "__fish_convox_using_subcommand login" -s p -l password -d 'The password or API key, which other users of this machine can see meanwhile' -r
complete -c convox -n "__fish_convox_using_subcommand login" -l tls-fingerprint -d 'Believe the certificate of this SHA-256 fingerprint, now and from now on' -r
complete -c convox -n "__fish_convox_using_subcommand login" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand login" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand login" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand login" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_using_subcommand login" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
complete -c convox -n "__fish_convox_using_subcommand login" -l password-stdin -d 'Read the password from standard input'
complete -c convox -n "__fish_convox_using_subcommand login" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand login" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand login" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand login" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_using_subcommand logout" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand logout" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand logout" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand logout" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_using_subcommand logout" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
complete -c convox -n "__fish_convox_using_subcommand logout" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand logout" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand logout" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand logout" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_using_subcommand racks" -l output -d 'What to write on stdout' -r -f -a "text\t'Lines for a person'
json\t'One JSON object a line'"
complete -c convox -n "__fish_convox_using_subcommand racks" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand racks" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand racks" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand racks" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_using_subcommand racks" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
complete -c convox -n "__fish_convox_using_subcommand racks" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand racks" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand racks" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand racks" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_using_subcommand switch" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand switch" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand switch" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand switch" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_using_subcommand switch" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
complete -c convox -n "__fish_convox_using_subcommand switch" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand switch" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand switch" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand switch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_using_subcommand rack; and not __fish_seen_subcommand_from params wait" -s r -l rack -d 'Name of the rack [default: CONVOX_RACK, or the only one there is]' -r
complete -c convox -n "__fish_convox_using_subcommand rack; and not __fish_seen_subcommand_from params wait" -l output -d 'What to write on stdout' -r -f -a "text\t'Lines for a person'
json\t'One JSON object a line'"
complete -c convox -n "__fish_convox_using_subcommand rack; and not __fish_seen_subcommand_from params wait" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand rack; and not __fish_seen_subcommand_from params wait" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand rack; and not __fish_seen_subcommand_from params wait" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand rack; and not __fish_seen_subcommand_from params wait" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_using_subcommand rack; and not __fish_seen_subcommand_from params wait" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
complete -c convox -n "__fish_convox_using_subcommand rack; and not __fish_seen_subcommand_from params wait" -l explain -d 'Say how the rack is reached and where every setting came from, and ask nobody'
complete -c convox -n "__fish_convox_using_subcommand rack; and not __fish_seen_subcommand_from params wait" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand rack; and not __fish_seen_subcommand_from params wait" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand rack; and not __fish_seen_subcommand_from params wait" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand rack; and not __fish_seen_subcommand_from params wait" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_using_subcommand rack; and not __fish_seen_subcommand_from params wait" -f -a "params" -d 'Show the parameters of a rack, or set them'
complete -c convox -n "__fish_convox_using_subcommand rack; and not __fish_seen_subcommand_from params wait" -f -a "wait" -d 'Wait until a rack is at rest, and tell whether its update went well'
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from params" -s r -l rack -d 'Name of the rack [default: CONVOX_RACK, or the only one there is]' -r
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from params" -s g -l group -d 'Show only this group: api, build, instances, logging, meta, network, nlb, scaling, security or storage; the beginning of a name will do' -r
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from params" -l output -d 'What to write on stdout' -r -f -a "text\t'Lines for a person'
json\t'One JSON object a line'"
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from params" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from params" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from params" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from params" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from params" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from params" -l reveal -d 'Show secret values on a terminal too'
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from params" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from params" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from params" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from params" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from params" -f -a "set" -d 'Set parameters of a rack, all of them in one update'
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from wait" -s r -l rack -d 'Name of the rack [default: CONVOX_RACK, or the only one there is]' -r
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from wait" -l timeout -d 'How long to wait, such as 90s or 2h' -r
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from wait" -l output -d 'What to write on stdout' -r -f -a "text\t'Lines for a person'
json\t'One JSON object a line'"
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from wait" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from wait" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from wait" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from wait" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from wait" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from wait" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from wait" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from wait" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand rack; and __fish_seen_subcommand_from wait" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_using_subcommand instances; and not __fish_seen_subcommand_from keyroll terminate" -s r -l rack -d 'Name of the rack [default: CONVOX_RACK, or the only one there is]' -r
complete -c convox -n "__fish_convox_using_subcommand instances; and not __fish_seen_subcommand_from keyroll terminate" -l output -d 'What to write on stdout' -r -f -a "text\t'Lines for a person'
json\t'One JSON object a line'"
complete -c convox -n "__fish_convox_using_subcommand instances; and not __fish_seen_subcommand_from keyroll terminate" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand instances; and not __fish_seen_subcommand_from keyroll terminate" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand instances; and not __fish_seen_subcommand_from keyroll terminate" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand instances; and not __fish_seen_subcommand_from keyroll terminate" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_using_subcommand instances; and not __fish_seen_subcommand_from keyroll terminate" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
complete -c convox -n "__fish_convox_using_subcommand instances; and not __fish_seen_subcommand_from keyroll terminate" -l keys -d 'Add a column with the key pair of each instance'
complete -c convox -n "__fish_convox_using_subcommand instances; and not __fish_seen_subcommand_from keyroll terminate" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand instances; and not __fish_seen_subcommand_from keyroll terminate" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand instances; and not __fish_seen_subcommand_from keyroll terminate" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand instances; and not __fish_seen_subcommand_from keyroll terminate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_using_subcommand instances; and not __fish_seen_subcommand_from keyroll terminate" -f -a "keyroll" -d 'Give every instance of a rack a new SSH key'
complete -c convox -n "__fish_convox_using_subcommand instances; and not __fish_seen_subcommand_from keyroll terminate" -f -a "terminate" -d 'Terminate an instance of a rack'
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
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -s w -l wait -d 'Wait for the end, which is what happens anyway'
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -l detach -d 'Leave as soon as CloudFormation has taken the update'
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -l plan -d 'Say what would be done, and do nothing'
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -l keep-old -d 'Keep the old key pair'
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -s y -l yes -d 'Do not ask whether to go ahead'
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from keyroll" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from terminate" -s r -l rack -d 'Name of the rack [default: CONVOX_RACK, or the only one there is]' -r
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from terminate" -l output -d 'What to write on stdout' -r -f -a "text\t'Lines for a person'
json\t'One JSON object a line'"
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from terminate" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from terminate" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from terminate" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from terminate" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from terminate" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from terminate" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from terminate" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from terminate" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand instances; and __fish_seen_subcommand_from terminate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_using_subcommand api; and not __fish_seen_subcommand_from get" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand api; and not __fish_seen_subcommand_from get" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand api; and not __fish_seen_subcommand_from get" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand api; and not __fish_seen_subcommand_from get" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_using_subcommand api; and not __fish_seen_subcommand_from get" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
complete -c convox -n "__fish_convox_using_subcommand api; and not __fish_seen_subcommand_from get" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand api; and not __fish_seen_subcommand_from get" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand api; and not __fish_seen_subcommand_from get" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand api; and not __fish_seen_subcommand_from get" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_using_subcommand api; and not __fish_seen_subcommand_from get" -f -a "get" -d 'Print what a path of the API answers'
complete -c convox -n "__fish_convox_using_subcommand api; and __fish_seen_subcommand_from get" -s r -l rack -d 'Name of the rack [default: CONVOX_RACK, or the only one there is]' -r
complete -c convox -n "__fish_convox_using_subcommand api; and __fish_seen_subcommand_from get" -l output -d 'What to write on stdout: indented, or on one line' -r -f -a "text\t'Lines for a person'
json\t'One JSON object a line'"
complete -c convox -n "__fish_convox_using_subcommand api; and __fish_seen_subcommand_from get" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand api; and __fish_seen_subcommand_from get" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand api; and __fish_seen_subcommand_from get" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand api; and __fish_seen_subcommand_from get" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_using_subcommand api; and __fish_seen_subcommand_from get" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
complete -c convox -n "__fish_convox_using_subcommand api; and __fish_seen_subcommand_from get" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand api; and __fish_seen_subcommand_from get" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand api; and __fish_seen_subcommand_from get" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand api; and __fish_seen_subcommand_from get" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_using_subcommand version" -s r -l rack -d 'Name of the rack [default: CONVOX_RACK, or the only one there is]' -r
complete -c convox -n "__fish_convox_using_subcommand version" -l output -d 'What to write on stdout' -r -f -a "text\t'Lines for a person'
json\t'One JSON object a line'"
complete -c convox -n "__fish_convox_using_subcommand version" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand version" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand version" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand version" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_using_subcommand version" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
complete -c convox -n "__fish_convox_using_subcommand version" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand version" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand version" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand version" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_using_subcommand rolls; and not __fish_seen_subcommand_from list show resume cancel continue" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and not __fish_seen_subcommand_from list show resume cancel continue" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and not __fish_seen_subcommand_from list show resume cancel continue" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand rolls; and not __fish_seen_subcommand_from list show resume cancel continue" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_using_subcommand rolls; and not __fish_seen_subcommand_from list show resume cancel continue" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
complete -c convox -n "__fish_convox_using_subcommand rolls; and not __fish_seen_subcommand_from list show resume cancel continue" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand rolls; and not __fish_seen_subcommand_from list show resume cancel continue" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand rolls; and not __fish_seen_subcommand_from list show resume cancel continue" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand rolls; and not __fish_seen_subcommand_from list show resume cancel continue" -s h -l help -d 'Print help (see more with \'--help\')'
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
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from list" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from list" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
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
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from show" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from show" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
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
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from resume" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from resume" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
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
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from cancel" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from cancel" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
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
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from continue" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from continue" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from continue" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from continue" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from continue" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand rolls; and __fish_seen_subcommand_from continue" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and not __fish_seen_subcommand_from serve reset scenarios" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and not __fish_seen_subcommand_from serve reset scenarios" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and not __fish_seen_subcommand_from serve reset scenarios" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and not __fish_seen_subcommand_from serve reset scenarios" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_using_subcommand sandbox; and not __fish_seen_subcommand_from serve reset scenarios" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
complete -c convox -n "__fish_convox_using_subcommand sandbox; and not __fish_seen_subcommand_from serve reset scenarios" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and not __fish_seen_subcommand_from serve reset scenarios" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and not __fish_seen_subcommand_from serve reset scenarios" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and not __fish_seen_subcommand_from serve reset scenarios" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and not __fish_seen_subcommand_from serve reset scenarios" -f -a "serve" -d 'Serve it to any AWS client, on the loopback address only'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and not __fish_seen_subcommand_from serve reset scenarios" -f -a "reset" -d 'Start it afresh'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and not __fish_seen_subcommand_from serve reset scenarios" -f -a "scenarios" -d 'List the scenarios that come along'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from serve" -l port -d 'Port to listen on; 0 takes one that is free' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from serve" -l scenario -d 'Serve the world of this scenario instead: a name or a file' -r -F
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from serve" -l speed -d 'How many times faster than real time it lives, or `real`' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from serve" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from serve" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from serve" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from serve" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from serve" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from serve" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from serve" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from serve" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from reset" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from reset" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from reset" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from reset" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from reset" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from reset" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from reset" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from reset" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from reset" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from scenarios" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from scenarios" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from scenarios" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from scenarios" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from scenarios" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from scenarios" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from scenarios" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from scenarios" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand sandbox; and __fish_seen_subcommand_from scenarios" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c convox -n "__fish_convox_using_subcommand completions" -l dir -d 'Write the files of all shells into this directory instead' -r -F
complete -c convox -n "__fish_convox_using_subcommand completions" -l region -d 'AWS region [default: as the AWS CLI finds it]' -r
complete -c convox -n "__fish_convox_using_subcommand completions" -l profile -d 'Profile of the AWS configuration files' -r
complete -c convox -n "__fish_convox_using_subcommand completions" -l endpoint-url -d 'Send every AWS call to this address instead' -r
complete -c convox -n "__fish_convox_using_subcommand completions" -l via -d 'How to reach the rack [default: its API where a host is chosen, else AWS]' -r -f -a "aws\t'With AWS credentials, in the account that the rack is in'
api\t'By its HTTP API, or a console\'s'
sandbox\t'In the little AWS account on this machine, as `--sandbox`'"
complete -c convox -n "__fish_convox_using_subcommand completions" -l tls-ca -d 'Also believe the certificates of this file, in PEM form, when reaching an API' -r -F
complete -c convox -n "__fish_convox_using_subcommand completions" -l sandbox -d 'Use the little AWS account that lives on this machine'
complete -c convox -n "__fish_convox_using_subcommand completions" -s q -l quiet -d 'Say only how it ended'
complete -c convox -n "__fish_convox_using_subcommand completions" -s v -l verbose -d 'Tell every detail'
complete -c convox -n "__fish_convox_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
