// Package pair runs two directors side by side in the lab, each ipvsd or keepalived, from one description of what both are to do. Its
// tests hold ipvsd against keepalived with VRRP between them; make bench measures with it.
package pair
