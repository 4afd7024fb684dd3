# Reads the output of a test program, in TAP or KTAP, while it runs: shows how far it is, prints failed tests with all
# that they wrote and skipped ones with their reason, and counts.
#
#   -v name=NAME       the program, as it is shown
#   -v counts=FILE     where "PASSED FAILED SKIPPED RESULTS PLANNED" goes at the end; PLANNED is empty without a plan
#   -v all=FILE        where every line goes
#   -v kmsg=FILE       where the start of each test is marked, so that a kernel report finds its test
#   -v table=FILE      where "NAME|TIMES|WHAT|FAILED" goes at the end for each "# made to go wrong TIMES: WHAT"
#   -v indent=N        the results are indented by N blanks; lines that are not, are left out
#   -v live=1          the display is a terminal: show the count while it runs

function clear() {
	if (shown)
		printf "\r\033[K"
	shown = 0
}

function show(what) {
	if (!live)
		return
	clear()
	printf "    %-26s %4d passed %3d failed %3d skipped  %s", name, passed, failed, skipped, substr(what, 1, 40)
	fflush()
	shown = 1
}

function fail(what,    i) {
	clear()
	printf "    FAILED %s: %s\n", name, what
	for (i = written > 60 ? written - 59 : 1; i <= written; i++)
		print "        " said[i]
	fflush()
}

{
	sub(/\r$/, "")
	if (all != "") {
		print > all
		fflush(all)
	}
	if (indent) {
		if (substr($0, 1, indent) !~ /^ *$/)
			next
		$0 = substr($0, indent + 1)
	}
	said[++written] = $0
}

/^1\.\.[0-9]+/ {
	planned += substr($1, 4)
	has_plan = 1
	if ($0 ~ /^1\.\.0 .*# *[Ss][Kk][Ii][Pp]/) {
		skipped++
		planned++
		results++
		clear()
		printf "    skipped %s: %s\n", name, $0
	}
}

/^# +RUN / || /^# Subtest: / {
	written = 1
	said[1] = $0
	if (kmsg != "") {
		print "hmm-test: begin " name ": " $3 > kmsg
		fflush(kmsg)
	}
	show($3)
}

/^ok [0-9]/ {
	results++
	if ($0 ~ /# *([Ss][Kk][Ii][Pp]|XFAIL)/) {
		skipped++
		clear()
		printf "    skipped %s: %s\n", name, $0
		fflush()
	} else {
		passed++
	}
	written = 0
	show("")
}

/^not ok [0-9]/ {
	results++
	failed++
	fail($0)
	written = 0
	show("")
}

# Several tests may have the same words for it.
/^# made to go wrong [0-9]+: / {
	times = $6 + 0
	sub(/^# made to go wrong [0-9]+: /, "")
	injected[$0] += times
}

/^Bail out!/ {
	failed++
	fail($0)
}

END {
	clear()
	# A program that speaks no TAP is judged by its exit status: its words are kept for that.
	if (!results && !has_plan)
		for (i = written > 60 ? written - 59 : 1; i <= written; i++)
			print "        " said[i] > counts ".said"
	for (what in injected)
		print name "|" injected[what] "|" what "|" failed + 0 >> table
	print passed + 0, failed + 0, skipped + 0, results + 0, (has_plan ? planned : "") > counts
}
