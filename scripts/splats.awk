# Reads a kernel log and prints in full every report of a kernel that found something wrong, each with the test
# that ran at that time (scripts/tap.awk marks the log). What comes again and again is named once for each test.
# The exit status is the number of reports, 100 at most.
#
#   -v since=TEXT    leave out all that comes before the last line that has TEXT

function bad(line) {
	return line ~ /BUG:|kernel BUG at|WARNING:|Oops:|general protection fault|Kernel panic|Unable to handle/ ||
	       line ~ /INFO: task .* blocked|INFO: (possible|suspicious|trying)|rcu: INFO:|rcu_.*stall|self-detected stall/ ||
	       line ~ /soft lockup|hard LOCKUP|KASAN:|UBSAN:|KFENCE:|kmemleak: .*(new suspected|disabled)|[Bb]ad (page|rss|swap|pte|p[mu4g]d)/ ||
	       line ~ /possible circular locking|inconsistent lock state|suspicious RCU usage|turning off the locking/ ||
	       line ~ /page dumped because|Internal error:|refcount_t:|list_(add|del) corruption|scheduling while atomic/
}

# What two reports of the same thing have in common.
function kind(line) {
	gsub(/[0-9]+|\[[^]]*\]/, "", line)
	return line
}

# LEFT lines of a report are still to be shown; a report that was shown before is only named (left is -1).
function report(    i, from, left, known) {
	for (i = 1; i <= lines; i++) {
		known = is_bad[i] && seen[kind(raw[i])]++
		if (is_bad[i] && (left == 0 || left < 0 && !known)) {
			count++
			if (!named[test[i], kind(raw[i])]++) {
				printf "kernel report %s:\n", test[i] == "" ? "outside all tests" : "during " test[i]
				if (known)
					print "    the same as above: " raw[i]
			}
			if (known) {
				left = -1
			} else {
				# The ruler above a report, and a message between the two, belong to it.
				for (from = i; from > i - 4 && from > 1 && raw[from] !~ /cut here|=====/; from--)
					;
				for (from = raw[from] ~ /cut here|=====/ ? from : i; from < i; from++)
					print "    " raw[from]
				left = 200
			}
		}
		if (left > 0) {
			left = is_bad[i] ? 200 : left - 1
			print "    " raw[i]
		}
		if (raw[i] ~ /---\[ end / || cut[i])
			left = 0
	}
}

{
	sub(/\r$/, "")
	text = $0
	sub(/^(<[0-9]+>)?(\[ *[0-9]+\.[0-9]+\])?(\[ *[TC][0-9]+\])? ?/, "", text)
	if (since != "" && index(text, since))
		lines = 0
	if (text ~ /^hmm-test: begin /)
		running = substr(text, 17)
	else if (text ~ /^hmm-test: end/)
		running = ""
	if (text ~ /^hmm-test: /) {
		cut[lines] = 1
		next
	}
	raw[++lines] = $0
	cut[lines] = 0
	test[lines] = running
	is_bad[lines] = bad(text)
	# Of the races that KCSAN sees, those in which a module of ours has no part are the rest of the kernel's own. So is
	# one in which it has: who waits for a folio sets PG_waiters, while __split_folio_to_order() takes other flags of it.
	if (text ~ /BUG: KCSAN:/) {
		race = lines
		is_ours = 0
		is_waiter = text ~ /in __folio_freeze_and_split_unmapped \/ (softleaf_entry_wait_on_locked|folio_wait_bit_common)/
	} else if (text ~ /\[(hmm_migrate|hmm_migrate_test|test_hmm)\]/) {
		is_ours = 1
	} else if (race && text ~ /^Reported by Kernel Concurrency Sanitizer/) {
		is_bad[race] = is_ours && !is_waiter
		race = 0
	}
}

END {
	report()
	exit count > 100 ? 100 : count
}
