"""All audits in one report: rows gathered from the files that the audits left, and a page for people."""
