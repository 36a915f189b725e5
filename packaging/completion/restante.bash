# SPDX-License-Identifier: MIT
# Completion of restante(1) for bash. What there is to complete is asked of restante itself, so
# that this never knows another version's options.

# The help's lines about options, or about commands: "WORD ARGUMENT", one a line.
_restante_help() {
	restante "$@" --help 2>/dev/null | sed -n \
		-e 's/^  \(-.,\|   \) \(--[a-z-]*\) \([A-Z]*\)\( .*\)\{0,1\}$/\2 \3/p' \
		-e 's/^  \([a-z][a-z-]*\) .*/\1/p' \
		-e 's/^ *one of: \(.*\)/= \1/p'
}

# The accounts that are configured, of the file that the command line names.
_restante_accounts() {
	local file=${XDG_CONFIG_HOME:-$HOME/.config}/restante/restante.conf i
	for ((i = 1; i < COMP_CWORD - 1; i++)); do
		case ${COMP_WORDS[i]} in
		-c | --config) file=${COMP_WORDS[i + 1]} ;;
		esac
	done
	sed -n 's/^[[:space:]]*account[[:space:]]\{1,\}"\{0,1\}\([^"{[:space:]]*\).*/\1/p' "${file/#~\//$HOME/}" 2>/dev/null
}

_restante() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local command= help argument i
	COMPREPLY=()

	help=$(_restante_help)
	for ((i = 1; i < COMP_CWORD; i++)); do
		if [[ ${COMP_WORDS[i]} != -* ]] && grep -qx -- "${COMP_WORDS[i]}" <<<"$help"; then
			command=${COMP_WORDS[i]}
			help=$(_restante_help "$command")
			break
		fi
	done

	case $prev in
	-c) prev=--config ;;
	-d) prev=--directory ;;
	-j) prev=--parallel ;;
	esac
	argument=$(sed -n "s/^$prev \(.\{1,\}\)/\1/p" <<<"$help")
	if [[ $prev == --* && -n $argument ]]; then
		# The line behind an option's says what it may be.
		local words
		words=$(sed -n "/^$prev /{n;s/^= //p;}" <<<"$help" | tr -d ,)
		if [[ -n $words ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		elif [[ $argument == FILE ]]; then
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		elif [[ $argument == DIR ]]; then
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		fi
		return
	fi
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(sed -n 's/^\(--[a-z-]*\).*/\1/p' <<<"$help")" -- "$cur")
	elif [[ -z $command ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(grep '^[a-z]' <<<"$help")" -- "$cur")
	elif restante "$command" --help 2>/dev/null | head -n 1 | grep -q ACCOUNT; then
		mapfile -t COMPREPLY < <(compgen -W "$(_restante_accounts)" -- "$cur")
	elif restante "$command" --help 2>/dev/null | head -n 1 | grep -q FILE; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}

complete -F _restante restante
