# To be sourced, with a Python that has pip in $python: sets the array `links` to options for uv, which does not read
# pip's configuration, in which machines name folders of wheels.
links=()
while read -r link; do links+=(--find-links "$link"); done < <(
  "$python" -m pip config list | sed -n "s/^[a-z:]*\.find-links='\(.*\)'$/\1/p" | sed 's/\\n/\n/g' | tr -s ' ' '\n' |
    sed '/^$/d' | sort -u
)
