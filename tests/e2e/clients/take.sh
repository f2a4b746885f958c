# In front of the page's code for bash.
url=$1
take() { printf '%s\t%s\t%s\n' "$1" "$2" "$3"; }
