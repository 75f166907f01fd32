# SPDX-License-Identifier: MIT
# sources.bash — Debian's sources of packages, for tests that want them. Sourced after common.bash.

# sources <package>: those of the version that is installed, or of another in the same release. Apt's own lists stay as they are.
sources() {
    local apt=$scratch/apt version
    mkdir -p "$apt/lists/partial" "$apt/cache" "$scratch/$1"
    local options=(-qq -o "Dir::Etc::sourcelist=$apt/list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$apt/lists"
        -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root)
    if [ ! -e "$apt/list" ]; then
        # shellcheck disable=SC2016
        apt-get indextargets --format 'deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' | sort -u |
            grep -i debian >"$apt/list"
        apt-get "${options[@]}" update >"$apt/log" 2>&1 || true
    fi
    # shellcheck disable=SC2016
    version=$(dpkg-query -W -f '${source:Version}' "$2")
    (cd "$scratch/$1" && for which in "$1=$version" "$1/bookworm" "$1"; do
        apt-get "${options[@]}" source --download-only "$which" >>"$apt/log" 2>&1 && break
    done && tar -xf ./*.orig.tar.?z --strip-components=1)
}
