
use builtin;
use str;

set edit:completion:arg-completer[convox] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'convox'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'convox'= {
            cand --region 'AWS region [default: as the AWS CLI finds it]'
            cand --profile 'Profile of the AWS configuration files'
            cand --endpoint-url 'Send every AWS call to this address instead'
            cand --sandbox 'Use the little AWS account that lives on this machine'
            cand -q 'Say only how it ended'
            cand --quiet 'Say only how it ended'
            cand -v 'Tell every detail'
            cand --verbose 'Tell every detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand instances 'Manage the instances of a rack'
            cand rolls 'Look at rolls, go on with them or undo them'
            cand sandbox 'Manage the little AWS account on this machine'
            cand completions 'Print a shell''s completions'
        }
        &'convox;instances'= {
            cand --region 'AWS region [default: as the AWS CLI finds it]'
            cand --profile 'Profile of the AWS configuration files'
            cand --endpoint-url 'Send every AWS call to this address instead'
            cand --sandbox 'Use the little AWS account that lives on this machine'
            cand -q 'Say only how it ended'
            cand --quiet 'Say only how it ended'
            cand -v 'Tell every detail'
            cand --verbose 'Tell every detail'
            cand -h 'Print help'
            cand --help 'Print help'
            cand keyroll 'Give every instance of a rack a new SSH key'
        }
        &'convox;instances;keyroll'= {
            cand -r 'Name of the rack [default: CONVOX_RACK, or the only one there is]'
            cand --rack 'Name of the rack [default: CONVOX_RACK, or the only one there is]'
            cand --output 'What to write on stdout'
            cand --key-type 'Kind of key pair'
            cand --save-key 'Also write the new private key to this file, which must not exist yet'
            cand --wait-busy 'How long to wait for a stack that is busy, such as 90s or 15m'
            cand --region 'AWS region [default: as the AWS CLI finds it]'
            cand --profile 'Profile of the AWS configuration files'
            cand --endpoint-url 'Send every AWS call to this address instead'
            cand -w 'Wait for the end, which is what happens anyway'
            cand --wait 'Wait for the end, which is what happens anyway'
            cand --detach 'Leave as soon as CloudFormation has taken the update'
            cand --plan 'Say what would be done, and do nothing'
            cand --keep-old 'Keep the old key pair'
            cand -y 'Do not ask whether to go ahead'
            cand --yes 'Do not ask whether to go ahead'
            cand --sandbox 'Use the little AWS account that lives on this machine'
            cand -q 'Say only how it ended'
            cand --quiet 'Say only how it ended'
            cand -v 'Tell every detail'
            cand --verbose 'Tell every detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'convox;rolls'= {
            cand --region 'AWS region [default: as the AWS CLI finds it]'
            cand --profile 'Profile of the AWS configuration files'
            cand --endpoint-url 'Send every AWS call to this address instead'
            cand --sandbox 'Use the little AWS account that lives on this machine'
            cand -q 'Say only how it ended'
            cand --quiet 'Say only how it ended'
            cand -v 'Tell every detail'
            cand --verbose 'Tell every detail'
            cand -h 'Print help'
            cand --help 'Print help'
            cand list 'List the rolls of a rack, the newest first'
            cand show 'Show what happened in a roll'
            cand resume 'Go on with a roll that was left or interrupted'
            cand cancel 'Cancel a roll, and follow CloudFormation back to the old key'
            cand continue 'Go on with a rollback that is stuck'
        }
        &'convox;rolls;list'= {
            cand -r 'Name of the rack [default: CONVOX_RACK, or the only one there is]'
            cand --rack 'Name of the rack [default: CONVOX_RACK, or the only one there is]'
            cand --output 'What to write on stdout'
            cand --region 'AWS region [default: as the AWS CLI finds it]'
            cand --profile 'Profile of the AWS configuration files'
            cand --endpoint-url 'Send every AWS call to this address instead'
            cand --sandbox 'Use the little AWS account that lives on this machine'
            cand -q 'Say only how it ended'
            cand --quiet 'Say only how it ended'
            cand -v 'Tell every detail'
            cand --verbose 'Tell every detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'convox;rolls;show'= {
            cand -r 'Name of the rack [default: CONVOX_RACK, or the only one there is]'
            cand --rack 'Name of the rack [default: CONVOX_RACK, or the only one there is]'
            cand --output 'What to write on stdout'
            cand --region 'AWS region [default: as the AWS CLI finds it]'
            cand --profile 'Profile of the AWS configuration files'
            cand --endpoint-url 'Send every AWS call to this address instead'
            cand --sandbox 'Use the little AWS account that lives on this machine'
            cand -q 'Say only how it ended'
            cand --quiet 'Say only how it ended'
            cand -v 'Tell every detail'
            cand --verbose 'Tell every detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'convox;rolls;resume'= {
            cand -r 'Name of the rack [default: CONVOX_RACK, or the only one there is]'
            cand --rack 'Name of the rack [default: CONVOX_RACK, or the only one there is]'
            cand --output 'What to write on stdout'
            cand --region 'AWS region [default: as the AWS CLI finds it]'
            cand --profile 'Profile of the AWS configuration files'
            cand --endpoint-url 'Send every AWS call to this address instead'
            cand --sandbox 'Use the little AWS account that lives on this machine'
            cand -q 'Say only how it ended'
            cand --quiet 'Say only how it ended'
            cand -v 'Tell every detail'
            cand --verbose 'Tell every detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'convox;rolls;cancel'= {
            cand -r 'Name of the rack [default: CONVOX_RACK, or the only one there is]'
            cand --rack 'Name of the rack [default: CONVOX_RACK, or the only one there is]'
            cand --output 'What to write on stdout'
            cand --region 'AWS region [default: as the AWS CLI finds it]'
            cand --profile 'Profile of the AWS configuration files'
            cand --endpoint-url 'Send every AWS call to this address instead'
            cand --sandbox 'Use the little AWS account that lives on this machine'
            cand -q 'Say only how it ended'
            cand --quiet 'Say only how it ended'
            cand -v 'Tell every detail'
            cand --verbose 'Tell every detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'convox;rolls;continue'= {
            cand -r 'Name of the rack [default: CONVOX_RACK, or the only one there is]'
            cand --rack 'Name of the rack [default: CONVOX_RACK, or the only one there is]'
            cand --output 'What to write on stdout'
            cand --skip 'Resources to leave as they are, such as Instances or Nested.Resource'
            cand --region 'AWS region [default: as the AWS CLI finds it]'
            cand --profile 'Profile of the AWS configuration files'
            cand --endpoint-url 'Send every AWS call to this address instead'
            cand --sandbox 'Use the little AWS account that lives on this machine'
            cand -q 'Say only how it ended'
            cand --quiet 'Say only how it ended'
            cand -v 'Tell every detail'
            cand --verbose 'Tell every detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'convox;sandbox'= {
            cand --region 'AWS region [default: as the AWS CLI finds it]'
            cand --profile 'Profile of the AWS configuration files'
            cand --endpoint-url 'Send every AWS call to this address instead'
            cand --sandbox 'Use the little AWS account that lives on this machine'
            cand -q 'Say only how it ended'
            cand --quiet 'Say only how it ended'
            cand -v 'Tell every detail'
            cand --verbose 'Tell every detail'
            cand -h 'Print help'
            cand --help 'Print help'
            cand serve 'Serve it to any AWS client, on the loopback address only'
            cand reset 'Start it afresh'
            cand scenarios 'List the scenarios that come along'
        }
        &'convox;sandbox;serve'= {
            cand --port 'Port to listen on; 0 takes one that is free'
            cand --scenario 'Serve the world of this scenario instead: a name or a file'
            cand --speed 'How many times faster than real time it lives, or `real`'
            cand --region 'AWS region [default: as the AWS CLI finds it]'
            cand --profile 'Profile of the AWS configuration files'
            cand --endpoint-url 'Send every AWS call to this address instead'
            cand --sandbox 'Use the little AWS account that lives on this machine'
            cand -q 'Say only how it ended'
            cand --quiet 'Say only how it ended'
            cand -v 'Tell every detail'
            cand --verbose 'Tell every detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'convox;sandbox;reset'= {
            cand --region 'AWS region [default: as the AWS CLI finds it]'
            cand --profile 'Profile of the AWS configuration files'
            cand --endpoint-url 'Send every AWS call to this address instead'
            cand --sandbox 'Use the little AWS account that lives on this machine'
            cand -q 'Say only how it ended'
            cand --quiet 'Say only how it ended'
            cand -v 'Tell every detail'
            cand --verbose 'Tell every detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'convox;sandbox;scenarios'= {
            cand --region 'AWS region [default: as the AWS CLI finds it]'
            cand --profile 'Profile of the AWS configuration files'
            cand --endpoint-url 'Send every AWS call to this address instead'
            cand --sandbox 'Use the little AWS account that lives on this machine'
            cand -q 'Say only how it ended'
            cand --quiet 'Say only how it ended'
            cand -v 'Tell every detail'
            cand --verbose 'Tell every detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'convox;completions'= {
            cand --dir 'Write the files of all shells into this directory instead'
            cand --region 'AWS region [default: as the AWS CLI finds it]'
            cand --profile 'Profile of the AWS configuration files'
            cand --endpoint-url 'Send every AWS call to this address instead'
            cand --sandbox 'Use the little AWS account that lives on this machine'
            cand -q 'Say only how it ended'
            cand --quiet 'Say only how it ended'
            cand -v 'Tell every detail'
            cand --verbose 'Tell every detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
    ]
    $completions[$command]
}
