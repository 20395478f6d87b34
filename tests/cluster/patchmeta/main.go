// Prints the table that strategic merge patches are made by: every built-in kind, its fields, their types, merge keys and strategies.
//
//	cd tests/cluster && go run ./patchmeta > ../../src/cluster/patch/table.txt
//
// Source: the struct tags of k8s.io/api, the same that Kubernetes prints into its OpenAPI as x-kubernetes-patch-merge-key and -strategy.
// Lines: `= name field:type[:strategy[:key]]…` is a struct (its number is its place), `@ apiVersion kind type` a kind. Types: a letter for
// a scalar, `*` pointer, `[` slice, `{` map by string, `#n` struct, `!name#n` a struct that reads its JSON itself.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	apiextv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextv1beta1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1beta1"
	"k8s.io/client-go/kubernetes/scheme"
)

var (
	ids   = map[reflect.Type]int{}
	lines []string
	reads = reflect.TypeOf((*json.Unmarshaler)(nil)).Elem()
	codes = map[reflect.Kind]string{
		reflect.String: "s", reflect.Bool: "b", reflect.Int: "n", reflect.Int32: "4", reflect.Int64: "8",
		reflect.Float64: "f", reflect.Uint8: "u", reflect.Uint16: "w", reflect.Uint32: "U", reflect.Interface: "a",
	}
)

func name(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + name(t.Elem())
	case reflect.Slice:
		return "[" + name(t.Elem())
	case reflect.Map:
		return "{" + name(t.Elem())
	case reflect.Struct:
		n := fmt.Sprintf("#%d", id(t))
		if reflect.PointerTo(t).Implements(reads) {
			n = "!" + t.Name() + n
		}
		return n
	}
	code, ok := codes[t.Kind()]
	if !ok {
		panic(t.String())
	}
	return code
}

func id(t reflect.Type) int {
	if n, ok := ids[t]; ok {
		return n
	}
	n := len(lines)
	ids[t] = n
	lines = append(lines, "")
	lines[n] = strings.Join(append([]string{"=", t.Name()}, fields(t)...), " ")
	return n
}

func fields(t reflect.Type) (out []string) {
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		tag, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && tag == "" && f.Type.Kind() == reflect.Struct, strings.Contains(opts, "inline"):
			out = append(out, fields(f.Type)...)
			continue
		case !f.IsExported(), tag == "-":
			continue
		case tag == "":
			tag = f.Name
		}
		field := tag + ":" + name(f.Type)
		if s := f.Tag.Get("patchStrategy"); s != "" {
			field += ":" + s
			if k := f.Tag.Get("patchMergeKey"); k != "" {
				field += ":" + k
			}
		}
		out = append(out, field)
	}
	return out
}

func main() {
	for _, add := range []error{apiextv1.AddToScheme(scheme.Scheme), apiextv1beta1.AddToScheme(scheme.Scheme)} {
		if add != nil {
			panic(add)
		}
	}
	var kinds []string
	types := map[string]reflect.Type{}
	for gvk, t := range scheme.Scheme.AllKnownTypes() {
		// Objects only: what belongs to requests is registered in every group.
		meta, ok := t.FieldByName("ObjectMeta")
		if gvk.Version == "__internal" || !ok || !meta.Anonymous {
			continue
		}
		key := gvk.GroupVersion().String() + " " + gvk.Kind
		kinds = append(kinds, key)
		types[key] = t
	}
	sort.Strings(kinds)
	var at []string
	for _, key := range kinds {
		at = append(at, "@ "+key+" "+name(types[key]))
	}
	fmt.Fprintln(os.Stdout, strings.Join(append(lines, at...), "\n"))
}
