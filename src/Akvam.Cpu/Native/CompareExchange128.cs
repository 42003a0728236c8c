using System.Runtime.InteropServices;

namespace Akvam.Cpu.Native;

/// <summary>LOCK CMPXCHG16B on host memory, which .NET does not offer. On hosts that are not x86-64 a lock stands in, atomic among guests only.</summary>
/// <remarks>Valid because the code page is never freed and never written after it became executable.</remarks>
internal static unsafe class CompareExchange128
{
    private static readonly delegate* unmanaged<UInt128*, ulong*, ulong, ulong, void> s_stub = Create();
    private static readonly Lock s_lock = new();

    /// <summary>Stores <paramref name="value"/> at the 16-byte aligned <paramref name="p"/> if it holds <paramref name="expected"/>, which becomes what it held.</summary>
    public static void Execute(UInt128* p, ref UInt128 expected, UInt128 value)
    {
        if (s_stub != null)
        {
            ulong* words = stackalloc ulong[2] { (ulong)expected, (ulong)(expected >> 64) };
            s_stub(p, words, (ulong)value, (ulong)(value >> 64));
            expected = new UInt128(words[1], words[0]);
            return;
        }

        lock (s_lock)
        {
            UInt128 old = *p;
            if (old == expected)
            {
                *p = value;
            }

            expected = old;
        }
    }

    private static delegate* unmanaged<UInt128*, ulong*, ulong, ulong, void> Create()
    {
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64 || !OperatingSystem.IsLinux())
        {
            return null;
        }

        // System V: p in RDI, words in RSI, low in RDX, high in RCX.
        ReadOnlySpan<byte> code =
        [
            0x53,                          // push rbx
            0x48, 0x89, 0xD3,              // mov rbx, rdx
            0x48, 0x8B, 0x06,              // mov rax, [rsi]
            0x48, 0x8B, 0x56, 0x08,        // mov rdx, [rsi + 8]
            0xF0, 0x48, 0x0F, 0xC7, 0x0F,  // lock cmpxchg16b [rdi]
            0x48, 0x89, 0x06,              // mov [rsi], rax
            0x48, 0x89, 0x56, 0x08,        // mov [rsi + 8], rdx
            0x5B,                          // pop rbx
            0xC3,                          // ret
        ];
        const int PageSize = 4096;
        void* page = Libc.mmap(null, PageSize, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS, -1, 0);
        if ((nint)page == -1)
        {
            return null;
        }

        code.CopyTo(new Span<byte>(page, PageSize));
        return Libc.mprotect(page, PageSize, Libc.PROT_READ | Libc.PROT_EXEC) == 0 ? (delegate* unmanaged<UInt128*, ulong*, ulong, ulong, void>)page : null;
    }
}
