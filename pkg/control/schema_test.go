package control

import (
	"encoding"
	"encoding/json"
	"path"
	"reflect"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// schemas describes types as encoding/json writes them. A library's reflection leaves out what callers rely on: which members are always
// there, and which may be null.
type schemas struct{ named openapi3.Schemas }

var (
	aTime      = reflect.TypeFor[time.Time]()
	aText      = reflect.TypeFor[encoding.TextMarshaler]()
	aMarshaler = reflect.TypeFor[json.Marshaler]()
)

func schemaOf(kind string) *openapi3.Schema {
	return &openapi3.Schema{Type: &openapi3.Types{kind}}
}

// of returns the schema of a type.
func (s schemas) of(t reflect.Type) *openapi3.SchemaRef {
	switch {
	case t == aTime:
		return schemaOf("string").WithFormat("date-time").NewRef()
	case t.Implements(aMarshaler): // says nothing of its form
		return openapi3.NewSchema().NewRef()
	case t.Implements(aText):
		return schemaOf("string").NewRef()
	}
	switch t.Kind() { //nolint:exhaustive // what answers are made of
	case reflect.Bool:
		return schemaOf("boolean").NewRef()
	case reflect.String:
		return schemaOf("string").NewRef()
	case reflect.Float32, reflect.Float64:
		return schemaOf("number").NewRef()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return schemaOf("integer").NewRef()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return schemaOf("integer").WithMin(0).NewRef()
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return schemaOf("string").WithFormat("byte").NewRef()
		}
		list := schemaOf("array")
		list.Items = s.of(t.Elem())
		return list.NewRef()
	case reflect.Map:
		table := schemaOf("object")
		table.AdditionalProperties.Schema = s.of(t.Elem())
		return table.NewRef()
	case reflect.Struct:
		return s.object(t)
	}
	return openapi3.NewSchema().NewRef() // anything
}

// object returns the schema of a struct: one that has a name stands among the components.
func (s schemas) object(t reflect.Type) *openapi3.SchemaRef {
	if t.Name() == "" || t.Name() == "end" {
		o := schemaOf("object")
		s.members(o, t)
		return o.NewRef()
	}
	name := path.Base(t.PkgPath()) + "." + t.Name()
	if s.named[name] == nil {
		o := schemaOf("object")
		s.named[name] = o.NewRef()
		s.members(o, t)
	}
	return openapi3.NewSchemaRef("#/components/schemas/"+name, s.named[name].Value)
}

func (s schemas) members(o *openapi3.Schema, t reflect.Type) {
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			s.members(o, inner)
			continue
		case !f.IsExported() || name == "-":
			continue
		case name == "":
			name = f.Name
		}
		kind := f.Type.Kind()
		omitted := strings.Contains(options, "omitzero") || strings.Contains(options, "omitempty") && kind != reflect.Struct && kind != reflect.Array
		ref := s.of(f.Type)
		if !omitted {
			o.Required = append(o.Required, name)
			if kind == reflect.Pointer || kind == reflect.Slice || kind == reflect.Map {
				ref = orNull(ref)
			}
		}
		o.WithPropertyRef(name, ref)
	}
}

// orNull is a schema that null matches, too.
func orNull(ref *openapi3.SchemaRef) *openapi3.SchemaRef {
	if ref.Ref != "" || ref.Value.Type == nil {
		return (&openapi3.Schema{AnyOf: openapi3.SchemaRefs{ref, schemaOf("null").NewRef()}}).NewRef()
	}
	with := *ref.Value
	with.Type = &openapi3.Types{(*ref.Value.Type)[0], "null"}
	return with.NewRef()
}
