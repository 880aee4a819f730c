
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'convox' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'convox'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'convox' {
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('login', 'login', [CompletionResultType]::ParameterValue, 'Log in to a console or a rack, and make it the one that commands are for')
            [CompletionResult]::new('logout', 'logout', [CompletionResultType]::ParameterValue, 'Forget the stored password of a console or a rack')
            [CompletionResult]::new('racks', 'racks', [CompletionResultType]::ParameterValue, 'List racks')
            [CompletionResult]::new('switch', 'switch', [CompletionResultType]::ParameterValue, 'Show the rack that is chosen at a console, or choose another')
            [CompletionResult]::new('rack', 'rack', [CompletionResultType]::ParameterValue, 'Show a rack, or do something with it')
            [CompletionResult]::new('instances', 'instances', [CompletionResultType]::ParameterValue, 'List the instances of a rack, or do something with them')
            [CompletionResult]::new('api', 'api', [CompletionResultType]::ParameterValue, 'Ask a rack''s HTTP API directly')
            [CompletionResult]::new('version', 'version', [CompletionResultType]::ParameterValue, 'Print the versions of this program and of the rack')
            [CompletionResult]::new('rolls', 'rolls', [CompletionResultType]::ParameterValue, 'Look at rolls, go on with them or undo them')
            [CompletionResult]::new('sandbox', 'sandbox', [CompletionResultType]::ParameterValue, 'Manage the little AWS account on this machine')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a shell''s completions')
            break
        }
        'convox;login' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'The password or API key, which other users of this machine can see meanwhile')
            [CompletionResult]::new('--password', '--password', [CompletionResultType]::ParameterName, 'The password or API key, which other users of this machine can see meanwhile')
            [CompletionResult]::new('--tls-fingerprint', '--tls-fingerprint', [CompletionResultType]::ParameterName, 'Believe the certificate of this SHA-256 fingerprint, now and from now on')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('--password-stdin', '--password-stdin', [CompletionResultType]::ParameterName, 'Read the password from standard input')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'convox;logout' {
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'convox;racks' {
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write on stdout')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'convox;switch' {
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'convox;rack' {
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--rack', '--rack', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write on stdout')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('--explain', '--explain', [CompletionResultType]::ParameterName, 'Say how the rack is reached and where every setting came from, and ask nobody')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('params', 'params', [CompletionResultType]::ParameterValue, 'Show the parameters of a rack, or set them')
            [CompletionResult]::new('wait', 'wait', [CompletionResultType]::ParameterValue, 'Wait until a rack is at rest, and tell whether its update went well')
            break
        }
        'convox;rack;params' {
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--rack', '--rack', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Show only this group: api, build, instances, logging, meta, network, nlb, scaling, security or storage; the beginning of a name will do')
            [CompletionResult]::new('--group', '--group', [CompletionResultType]::ParameterName, 'Show only this group: api, build, instances, logging, meta, network, nlb, scaling, security or storage; the beginning of a name will do')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write on stdout')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('--reveal', '--reveal', [CompletionResultType]::ParameterName, 'Show secret values on a terminal too')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('set', 'set', [CompletionResultType]::ParameterValue, 'Set parameters of a rack, all of them in one update')
            break
        }
        'convox;rack;params;set' {
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--rack', '--rack', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write on stdout')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Wait for the end, and tell a rollback from success')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait for the end, and tell a rollback from success')
            [CompletionResult]::new('--plan', '--plan', [CompletionResultType]::ParameterName, 'Say what would be changed and replaced, and do nothing')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'convox;rack;wait' {
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--rack', '--rack', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long to wait, such as 90s or 2h')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write on stdout')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'convox;instances' {
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--rack', '--rack', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write on stdout')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('--keys', '--keys', [CompletionResultType]::ParameterName, 'Add a column with the key pair of each instance')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('keyroll', 'keyroll', [CompletionResultType]::ParameterValue, 'Give every instance of a rack a new SSH key')
            [CompletionResult]::new('terminate', 'terminate', [CompletionResultType]::ParameterValue, 'Terminate an instance of a rack')
            break
        }
        'convox;instances;keyroll' {
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--rack', '--rack', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write on stdout')
            [CompletionResult]::new('--key-type', '--key-type', [CompletionResultType]::ParameterName, 'Kind of key pair')
            [CompletionResult]::new('--save-key', '--save-key', [CompletionResultType]::ParameterName, 'Also write the new private key to this file, which must not exist yet')
            [CompletionResult]::new('--wait-busy', '--wait-busy', [CompletionResultType]::ParameterName, 'How long to wait for a stack that is busy, such as 90s or 15m')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Wait for the end, which is what happens anyway')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait for the end, which is what happens anyway')
            [CompletionResult]::new('--detach', '--detach', [CompletionResultType]::ParameterName, 'Leave as soon as CloudFormation has taken the update')
            [CompletionResult]::new('--plan', '--plan', [CompletionResultType]::ParameterName, 'Say what would be done, and do nothing')
            [CompletionResult]::new('--keep-old', '--keep-old', [CompletionResultType]::ParameterName, 'Keep the old key pair')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Do not ask whether to go ahead')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Do not ask whether to go ahead')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'convox;instances;terminate' {
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--rack', '--rack', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write on stdout')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'convox;api' {
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'Print what a path of the API answers')
            break
        }
        'convox;api;get' {
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--rack', '--rack', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write on stdout: indented, or on one line')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'convox;version' {
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--rack', '--rack', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write on stdout')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'convox;rolls' {
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the rolls of a rack, the newest first')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show what happened in a roll')
            [CompletionResult]::new('resume', 'resume', [CompletionResultType]::ParameterValue, 'Go on with a roll that was left or interrupted')
            [CompletionResult]::new('cancel', 'cancel', [CompletionResultType]::ParameterValue, 'Cancel a roll, and follow CloudFormation back to the old key')
            [CompletionResult]::new('continue', 'continue', [CompletionResultType]::ParameterValue, 'Go on with a rollback that is stuck')
            break
        }
        'convox;rolls;list' {
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--rack', '--rack', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write on stdout')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'convox;rolls;show' {
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--rack', '--rack', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write on stdout')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'convox;rolls;resume' {
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--rack', '--rack', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write on stdout')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'convox;rolls;cancel' {
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--rack', '--rack', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write on stdout')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'convox;rolls;continue' {
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--rack', '--rack', [CompletionResultType]::ParameterName, 'Name of the rack [default: CONVOX_RACK, or the only one there is]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'What to write on stdout')
            [CompletionResult]::new('--skip', '--skip', [CompletionResultType]::ParameterName, 'Resources to leave as they are, such as Instances or Nested.Resource')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'convox;sandbox' {
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Serve it to any AWS client, on the loopback address only')
            [CompletionResult]::new('reset', 'reset', [CompletionResultType]::ParameterValue, 'Start it afresh')
            [CompletionResult]::new('scenarios', 'scenarios', [CompletionResultType]::ParameterValue, 'List the scenarios that come along')
            break
        }
        'convox;sandbox;serve' {
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Port to listen on; 0 takes one that is free')
            [CompletionResult]::new('--scenario', '--scenario', [CompletionResultType]::ParameterName, 'Serve the world of this scenario instead: a name or a file')
            [CompletionResult]::new('--speed', '--speed', [CompletionResultType]::ParameterName, 'How many times faster than real time it lives, or `real`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'convox;sandbox;reset' {
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'convox;sandbox;scenarios' {
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'convox;completions' {
            [CompletionResult]::new('--dir', '--dir', [CompletionResultType]::ParameterName, 'Write the files of all shells into this directory instead')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'AWS region [default: as the AWS CLI finds it]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the AWS configuration files')
            [CompletionResult]::new('--endpoint-url', '--endpoint-url', [CompletionResultType]::ParameterName, 'Send every AWS call to this address instead')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How to reach the rack [default: its API where a host is chosen, else AWS]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Also believe the certificates of this file, in PEM form, when reaching an API')
            [CompletionResult]::new('--sandbox', '--sandbox', [CompletionResultType]::ParameterName, 'Use the little AWS account that lives on this machine')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only how it ended')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
