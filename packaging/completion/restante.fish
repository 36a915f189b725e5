# SPDX-License-Identifier: MIT
# Completion of restante(1) for fish. What there is to complete is asked of restante itself, so
# that this never knows another version's options.

function __restante_commands
    restante --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\) \{1,\}\([^ ].*\)\{0,1\}  \([^ ].*\)$/\1\t\3/p'
end

# The command that stands in the line already; fails when there is none.
function __restante_command
    set -l names (__restante_commands | string replace -r '\t.*' '')
    for word in (commandline -opc)[2..-1]
        if contains -- $word $names
            echo $word
            return 0
        end
    end
    return 1
end

function __restante_options
    restante (__restante_command) --help 2>/dev/null |
        sed -n 's/^  \(-.,\|   \) \(--[a-z-]*\) \([A-Z]*\) *\(.*\)$/\2\t\4/p'
end

# What may stand behind the option that is the last word.
function __restante_values
    set -l option (commandline -opc)[-1]
    restante (__restante_command) --help 2>/dev/null |
        sed -n "/^  .\{4\}$option /{n;s/^ *one of: //p;}" | string split -n ', '
end

function __restante_takes --argument-names argument
    set -l option (commandline -opc)[-1]
    string match -q -- '--*' $option; and restante (__restante_command) --help 2>/dev/null |
        grep -q "^  .\{4\}$option $argument\( \|\$\)"
end

function __restante_wants --argument-names what
    set -l command (__restante_command); or return 1
    restante $command --help 2>/dev/null | head -n 1 | grep -q $what
end

function __restante_accounts
    set -q XDG_CONFIG_HOME; and set -l folder $XDG_CONFIG_HOME; or set -l folder $HOME/.config
    sed -n 's/^[[:space:]]*account[[:space:]]\{1,\}"\{0,1\}\([^"{[:space:]]*\).*/\1/p' $folder/restante/restante.conf 2>/dev/null
end

complete -c restante -f
complete -c restante -n 'not __restante_command' -a '(__restante_commands)'
complete -c restante -n 'string match -q -- "-*" (commandline -ct)' -a '(__restante_options)'
complete -c restante -n '__restante_takes "[A-Z][A-Z]*"' -a '(__restante_values)'
complete -c restante -n '__restante_takes FILE; or __restante_takes DIR' -F
complete -c restante -n '__restante_wants ACCOUNT; and not __restante_takes "[A-Z][A-Z]*"' -a '(__restante_accounts)'
complete -c restante -n '__restante_wants FILE' -F
