package answer

// aria2 writes a URL and what goes with it as an entry of an input file.
//
// https://aria2.github.io/manual/en/html/aria2c.html#input-file
func (w *rendering) aria2(i int, part string) {
	key := w.plan.Key(i)
	name := w.fileName(i)
	w.renamed(key, name)
	w.url(i, part)
	w.text("\n  out=" + name + "\n")
	w.text("  follow-torrent=false\n  follow-metalink=false\n") // what is downloaded is not to be obeyed
	for _, o := range w.plan.Options(i) {
		if o.ID.IsHeader() {
			w.text("  header=" + o.WireName() + ": " + o.Value + "\n")
		}
	}
}
