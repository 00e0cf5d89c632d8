// Preloaded into linux.uml (Linux 6.1) on processors with AMX.
//
// UML keeps 2696 bytes of vector registers for each process, enough up to AVX-512 and PKRU. Where the processor has more
// state, the host refuses to set less than all of it, and UML dies at its first process: "ptrace set fp regs failed,
// errno = 14". Here the rest is filled up with zeros, its initial state; the guest never asks for AMX. UML of Linux 6.13
// and later asks the host for the size and needs none of this.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

static char state[1 << 16];

long ptrace(enum __ptrace_request request, ...)
{
	static long (*next)(enum __ptrace_request, pid_t, void *, void *);
	static size_t size; // what the host takes
	va_list arguments;

	va_start(arguments, request);
	pid_t pid = va_arg(arguments, pid_t);
	void *address = va_arg(arguments, void *);
	void *data = va_arg(arguments, void *);
	va_end(arguments);

	if (!next)
		next = (long (*)(enum __ptrace_request, pid_t, void *, void *))dlsym(RTLD_NEXT, "ptrace");
	if (request != PTRACE_SETREGSET || (uintptr_t)address != NT_X86_XSTATE)
		return next(request, pid, address, data);

	if (!size) {
		struct iovec all = {state, sizeof state};
		if (next(PTRACE_GETREGSET, pid, address, &all) < 0)
			return -1;
		size = all.iov_len;
		memset(state, 0, sizeof state);
	}
	struct iovec *given = data;
	if (given->iov_len >= size)
		return next(request, pid, address, data);
	memcpy(state, given->iov_base, given->iov_len);
	struct iovec filled = {state, size};
	return next(request, pid, address, &filled);
}
