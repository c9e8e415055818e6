package natsaccord_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// longestFile is how many lines a Go file may have.
const longestFile = 600

// vagueNames are the directories that would gather whatever has no better place.
func vagueNames() []string { return []string{"util", "common", "helpers", "types", "misc"} }

// unfinished finds the marks of work put off. It is put together so that it does not find itself.
func unfinished() *regexp.Regexp { return regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME)\b`) }

// checkFile returns which rules of style a Go file breaks.
func checkFile(name, source string) (found []string, err error) {
	if lines := strings.Count(source, "\n"); lines > longestFile {
		found = append(found, fmt.Sprintf("%s: %d lines, want at most %d", name, lines, longestFile))
	}
	for i, line := range strings.Split(source, "\n") {
		if mark := unfinished().FindString(line); mark != "" {
			found = append(found, fmt.Sprintf("%s:%d: %s", name, i+1, mark))
		}
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, declared := range file.Decls {
		if f, ok := declared.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			found = append(found, fmt.Sprintf("%s: init()", fset.Position(f.Pos())))
		}
	}
	if strings.HasSuffix(name, "_test.go") {
		for _, at := range sleeps(file) {
			found = append(found, fmt.Sprintf("%s: time.Sleep in a test", fset.Position(at)))
		}
	}
	return found, nil
}

// sleeps returns where a file mentions time.Sleep, by whatever name it imports time.
func sleeps(file *ast.File) (found []token.Pos) {
	local := ""
	for _, imported := range file.Imports {
		if imported.Path.Value != `"time"` {
			continue
		}
		local = "time"
		if imported.Name != nil {
			local = imported.Name.Name
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if from, ok := n.X.(*ast.Ident); ok && local != "" && from.Name == local && n.Sel.Name == "Sleep" {
				found = append(found, n.Pos())
			}
		case *ast.Ident:
			if local == "." && n.Name == "Sleep" {
				found = append(found, n.Pos())
			}
		}
		return true
	})
	return found
}

// checkDirectory returns what is wrong with a directory's name.
func checkDirectory(name string) (found []string) {
	if slices.Contains(vagueNames(), path.Base(name)) {
		found = append(found, name+": a directory whose name says nothing")
	}
	return found
}

// checkTree checks everything below a root, and returns how many Go files there are.
func checkTree(root fs.FS) (found []string, files int, err error) {
	err = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name == ".git":
			return fs.SkipDir
		case entry.IsDir():
			found = append(found, checkDirectory(name)...)
			return nil
		case !strings.HasSuffix(name, ".go"):
			return nil
		}
		source, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		files++
		broken, err := checkFile(name, string(source))
		found = append(found, broken...)
		return err
	})
	return found, files, err
}

func TestStyle(t *testing.T) {
	found, files, err := checkTree(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Fatalf("looked at %d Go files only", files)
	}
	for _, f := range found {
		t.Error(f)
	}
}

func TestStyleFindsViolations(t *testing.T) {
	const head = "package p\n"
	for _, c := range []struct{ what, name, source string }{
		{"a long file", "a.go", head + strings.Repeat("\n", longestFile)},
		{"init", "a.go", head + "func init() {}\n"},
		{"init in a test", "a_test.go", head + "func init() {}\n"},
		{"Sleep", "a_test.go", head + "import \"time\"\nfunc f() { time.Sleep(1) }\n"},
		{"Sleep as a value", "a_test.go", head + "import \"time\"\nvar f = time.Sleep\n"},
		{"Sleep renamed", "a_test.go", head + "import clock \"time\"\nfunc f() { clock.Sleep(1) }\n"},
		{"Sleep unqualified", "a_test.go", head + "import . \"time\"\nfunc f() { Sleep(1) }\n"},
		{"work put off", "a.go", head + "// TO" + "DO: later\n"},
		{"a known fault", "a.go", head + "// FIX" + "ME(me)\n"},
	} {
		if found, err := checkFile(c.name, c.source); err != nil || len(found) != 1 {
			t.Errorf("%s: got %q, %v, want one finding", c.what, found, err)
		}
	}
	for _, name := range vagueNames() {
		if len(checkDirectory("node/"+name)) != 1 {
			t.Errorf("directory %s is not found", name)
		}
	}
}

func TestStyleWalksTheTree(t *testing.T) {
	planted := fstest.MapFS{
		"node/util/a.go": {Data: []byte("package util\nfunc init() {}\n")},
		"bus/b_test.go":  {Data: []byte("package bus\nimport \"time\"\nfunc f() { time.Sleep(1) }\n")},
		".git/c.go":      {Data: []byte("not Go, and none of our business")},
		"docs/d.md":      {Data: []byte("TO" + "DO")},
	}
	found, files, err := checkTree(planted)
	if err != nil || files != 2 || len(found) != 3 {
		t.Errorf("got %q in %d files, %v, want three findings in two files", found, files, err)
	}
}

func TestStyleAllowsTheRest(t *testing.T) {
	for _, c := range []struct{ what, name, source string }{
		{"a file of just the length", "a.go", "package p\n" + strings.Repeat("\n", longestFile-1)},
		{"Sleep outside tests", "a.go", "package p\nimport \"time\"\nfunc f() { time.Sleep(1) }\n"},
		{"a method called init", "a.go", "package p\ntype t int\nfunc (t) init() {}\n"},
		{"another's Sleep", "a_test.go", "package p\nimport \"time\"\nfunc f(x interface{ Sleep(time.Duration) }) { x.Sleep(1) }\n"},
		{"longer words", "a.go", "package p\n// TO" + "DOS\n"},
	} {
		if found, err := checkFile(c.name, c.source); err != nil || found != nil {
			t.Errorf("%s: got %q, %v, want nothing", c.what, found, err)
		}
	}
	if found := checkDirectory("event/eventtest"); found != nil {
		t.Errorf("got %q, want nothing", found)
	}
}
