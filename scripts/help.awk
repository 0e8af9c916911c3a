# The list of make help, from the Makefile's own lines:
#   ##@ A group
#   target: prerequisites ## What it does. | what it needs beside Go | how long it takes
BEGIN { FS = " ## " }
/^##@ / { printf "%s%s\n", groups++ ? "\n" : "", substr($0, 5) }
/^[A-Za-z0-9 -]+:.* ## / {
	split($1, name, ":")
	split($2, part, / *\| */)
	gsub(/ /, ", ", name[1])
	if (length(name[1]) > 16) printf "  %s\n  %-16s ", name[1], ""
	else printf "  %-16s ", name[1]
	printf "%s", part[1]
	if (part[2] != "" && part[3] != "") printf " [needs %s; %s]", part[2], part[3]
	else if (part[2] != "") printf " [needs %s]", part[2]
	else if (part[3] != "") printf " [%s]", part[3]
	print ""
}
