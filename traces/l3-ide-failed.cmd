# QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)
qemu-system-x86_64 -display none -accel tcg -M pc-i440fx-7.2 -cpu qemu64 -m 8 -nodefaults -vga none -serial null -drive driver=blkdebug,image.driver=file,image.filename=hd.img,inject-error.0.event=none,inject-error.0.iotype=read,inject-error.0.sector=9,inject-error.0.errno=5,if=none,id=hd0,rerror=stop,werror=stop -device ide-hd,drive=hd0,bus=ide.0,unit=0 -drive file=hd2.img,format=raw,if=none,id=hd1 -device ide-hd,drive=hd1,bus=ide.1,unit=1 -bios bios.bin -qtest stdio -S
# own 64 KiB bios image (0xf4 all over); the registers were set by these lines of qtest's protocol:
# outb 0x1f6 0xe0
# outb 0x1f2 0x2
# outb 0x1f3 0x9
# outb 0x1f7 0x20
# inb 0x1f7
# outb 0x176 0xf0
# outb 0x172 0x2
# outb 0x173 0x9
# outb 0x177 0xc8
# inb 0x177
# QMP migrate-set-parameters {"max-bandwidth": 10000000000}
# QMP migrate exec:cat>FILE
