# SPDX-License-Identifier: MIT
# Completion of the command mimalloc for bash.
_mimalloc() {
    local current=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]:-} options=
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        COMPREPLY=($(compgen -W "run doctor top map profile leaks diff explain metrics compare --help --version" -- "$current"))
        return
    fi
    case $verb in
        run) options="--stats --limit= --live --metrics= --verbose --profile --secure --secure= --library= --dry-run --json --help" ;;
        doctor) options="--library= --json --help" ;;
        top) options="--delay= --times= --json --help" ;;
        map) options="--output= --width= --json --help" ;;
        profile | leaks) options="--seconds= --output= --type= --rows= --run --rate= --library= --json --help" ;;
        diff) options="--output= --type= --rows= --json --help" ;;
        explain) options="--json --help" ;;
        metrics) options="--classes --listen= --json --help" ;;
        compare) options="--runs= --with= --library= --output= --ready= --load= --csv --json --help" ;;
    esac
    case $verb,$current in
        *,-*) COMPREPLY=($(compgen -W "$options" -- "$current")) ;;
        run,* | compare,*) COMPREPLY=($(compgen -c -- "$current") $(compgen -f -- "$current")) ;;
        doctor,*) COMPREPLY=($(compgen -W "$(cd /proc && echo [0-9]*)" -- "$current") $(compgen -c -- "$current")) ;;
        *) COMPREPLY=($(compgen -W "$(cd /proc && echo [0-9]*)" -- "$current") $(compgen -f -- "$current")) ;;
    esac
    [[ ${COMPREPLY[0]:-} != *= ]] || compopt -o nospace
}
complete -F _mimalloc mimalloc
