# SPDX-License-Identifier: MIT
# The short way in; Meson and Ninja do the work. "make help" says what there is.

BUILD = build

# Only what was given is passed on: "make install" after "make PREFIX=/usr" keeps /usr.
setup = $(if $(PREFIX),--prefix=$(abspath $(PREFIX)))
configure = $(if $(PREFIX),-Dprefix=$(abspath $(PREFIX)))

.PHONY: all help run test install clean fuzz format bench deb

all: $(BUILD)/build.ninja
	$(if $(configure),@meson configure $(configure) $(BUILD))
	@ninja -C $(BUILD) $$([ -t 1 ] || echo --quiet)

help:
	@echo 'make                build the programs (in $(BUILD)/)'
	@echo 'make run            see it at work: a throw-away server, real mail in and out'
	@echo 'make run STAY=1     the same, and the server stays until Ctrl-C, for your mail program'
	@echo 'make run MAILS=9999 the same with so many mails (there are 6046) instead of 300'
	@echo 'make test           everything that CI tests, with a line for each step'
	@echo 'make test STEPS=... only some steps: gcc clang asan tsan fuzz'
	@echo 'make install        into /usr/local; or: make install PREFIX=/usr DESTDIR=/tmp/package'
	@echo 'make deb            Debian packages of what is committed, in $(BUILD)/deb/'
	@echo 'make fuzz           let every fuzz target search; SECONDS=60 is the time for each'
	@echo 'make bench          measure speed beside Dovecot (needs root, takes long; QUICK=1: less)'
	@echo 'make format         clang-format over all C files'
	@echo 'make clean          remove $(BUILD)/'
	@echo
	@echo 'On Debian 12 each installs the packages that it is missing, and says which.'

# When the list of packages changes, so may what the build needs.
$(BUILD)/build.ninja: tools/install-deps
	@tools/install-deps build
	@mkdir -p $(BUILD)
	@[ -f $@ ] || meson setup $(setup) $(BUILD) >$(BUILD)/setup.log || { cat $(BUILD)/setup.log; exit 1; }
	@touch $@

# Without npm there are other mails: no reason to stop.
run:
	@tools/install-deps build run corpus || tools/install-deps build run
	@$(MAKE) --no-print-directory all
	@tools/demo --build $(BUILD) $(if $(STAY),--stay) $(if $(MAILS),--mails $(MAILS))

# CI's machine is there for tests only: it may have every server.
test:
	@tools/install-deps build test $(if $(CI),servers)
	@tools/test-all $(STEPS)

install: all
	meson install -C $(BUILD) --no-rebuild $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))

fuzz:
	@tools/install-deps build fuzz
	@fuzz/run.sh $(or $(SECONDS),60)

# An optimised build; needs root.
bench:
	@tools/install-deps build bench
	@[ -f $(BUILD)/bench/build.ninja ] || \
		meson setup --buildtype=release -Dbench=true $(BUILD)/bench >/dev/null
	@ninja -C $(BUILD)/bench $$([ -t 1 ] || echo --quiet)
	@RESTANTE_BUILD=$(BUILD)/bench bench/compare.py $(if $(QUICK),--quick)

# From what is committed, in a folder of its own.
deb:
	@tools/install-deps build deb
	@rm -rf $(BUILD)/deb && mkdir -p $(BUILD)/deb/restante
	@git archive HEAD | tar -x -C $(BUILD)/deb/restante
	@cd $(BUILD)/deb/restante && dpkg-buildpackage --no-sign --build=binary >../build.log 2>&1 || \
		{ tail -n 40 ../build.log; exit 1; }
	@lintian --fail-on error,warning $(BUILD)/deb/*.changes
	@ls $(BUILD)/deb/*.deb

format:
	@tools/install-deps format
	clang-format -i $$(git ls-files '*.c' '*.h')

clean:
	rm -rf $(BUILD)
