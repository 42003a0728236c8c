using System.Runtime.InteropServices;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Translator;

/// <summary>
/// For a place in host code that accesses memory: the page that it accessed last, with others that follow one another on the host too, and where they are. An address whose distance from <see cref="Base"/> is below
/// the window's limit needs no search of the TLB, nor a look at its tag: windows are forgotten when what they show may be another page or another's. Limits lie apart from
/// the rest, so that all can be forgotten quickly; 0 is that of a window that shows nothing.
/// </summary>
/// <remarks>
/// Valid because windows have their place behind the TLB, and <see cref="TlbControl"/> and whoever takes a permission out of the TLB forget them. Kernel and user code
/// have windows of their own, each under the tag in <see cref="CpuState.WindowTag"/>.
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct TlbWindow
{
    public ulong Base;

    /// <summary>Host address minus linear address.</summary>
    public ulong Addend;

    /// <summary>The low half of <see cref="CpuState.Left"/> when <see cref="Misses"/> was set last.</summary>
    public uint LeftThen;

    /// <summary>Counts down; at 0 the place is judged.</summary>
    public uint Misses;

    /// <summary>Windows of a level: kernel code (0) and user code (1).</summary>
    public const int Count = 2048, Levels = 2;

    /// <summary>A window is for accesses of up to so many bytes, by its number modulo the classes: places take it in turn, and all go by its limit.</summary>
    public const int Classes = 8;

    /// <summary>How many numbers of windows that were filled are remembered (a power of 2): so many are forgotten one by one, more all at once.</summary>
    public const int Remembered = 64;

    /// <summary>A place that misses so many times within so many instructions does better without.</summary>
    public const int MissesAllowed = 64, Instructions = 96 * MissesAllowed;

    /// <summary>Where its parts are.</summary>
    public const int AddendAt = 8, LeftThenAt = 16, MissesAt = 20, Size = 24;

    private const int LimitsOffset = CpuState.DtlbOffset + (Mem.DtlbEntries * 32);
    private const int Offset = LimitsOffset + (Levels * Count * sizeof(ulong));
    private const int NumbersOffset = Offset + (Levels * Count * Size);

    /// <summary>What follows the TLB, from the start of the state.</summary>
    public const int End = NumbersOffset + (Levels * Remembered * sizeof(ushort));

    private static ReadOnlySpan<short> Bytes => [1, 2, 4, 8, 16, 32, 128, 512];

    /// <summary>The class of accesses of a size.</summary>
    public static int ClassOf(int size)
    {
        int kind = 0;
        while (Bytes[kind] < size)
        {
            kind++;
        }

        return kind;
    }

    /// <summary>The bytes by which a window's limit is lower than its end, plus 1.</summary>
    public static int BytesOf(int number) => Bytes[number % Classes];

    /// <summary>From the start of the state: a window by its number, which is <see cref="Count"/> and more for user code.</summary>
    public static int At(int number) => Offset + (number * Size);

    /// <summary>Its limit.</summary>
    public static int LimitAt(int number) => LimitsOffset + (number * sizeof(ulong));

    /// <summary>The numbers of a level's windows that were filled, a ring of 16-bit words.</summary>
    public static int NumbersAt(int level) => NumbersOffset + (level * Remembered * sizeof(ushort));

    /// <summary>Before the state is used.</summary>
    public static void Initialize(CpuState* s)
    {
        for (int n = 0; n < Levels * Count; n++)
        {
            ((TlbWindow*)((byte*)s + At(n)))->Misses = MissesAllowed;
        }
    }

    /// <summary>Forgets what was seen under other tags. SYSCALL and SYSRET of host code go from one level to the other without asking.</summary>
    public static void Adopt(CpuState* s)
    {
        ulong context = s->DataTag & ~TlbTag.WhoMask;
        bool user = s->Cpl == 3;
        Adopt(s, 0, user ? context | TlbTag.Supervisor : s->DataTag);
        Adopt(s, 1, user ? s->DataTag : context | TlbTag.User);
    }

    private static void Adopt(CpuState* s, int level, ulong tag)
    {
        ulong old = s->WindowTag[level];
        if (old == tag && (tag & TlbTag.WhoMask) != TlbTag.Slow)
        {
            return;
        }

        s->WindowTag[level] = tag;
        if (old == (tag & ~TlbTag.SupervisorAc) && (tag & TlbTag.WhoMask) == TlbTag.SupervisorAc)
        {
            // What the supervisor sees without AC it sees with it, but not the other way round.
            s->WindowFillsBeforeAc = s->WindowFills[level];
        }
        else
        {
            bool again = (tag & TlbTag.WhoMask) == TlbTag.Supervisor && old == (tag | TlbTag.SupervisorAc);
            Forget(s, level, again ? s->WindowFillsBeforeAc : 0);
        }
    }

    /// <summary>The TLB changed in a way that only its owner knows.</summary>
    public static void ForgetAll(CpuState* s)
    {
        Forget(s, 0, since: 0);
        Forget(s, 1, since: 0);
    }

    /// <summary>One linear page may be mapped elsewhere.</summary>
    public static void ForgetPage(CpuState* s, ulong linear)
    {
        for (int level = 0; level < Levels; level++)
        {
            if (s->WindowFills[level] > Remembered)
            {
                Forget(s, level, since: 0);
                continue;
            }

            for (ulong n = 0; n < s->WindowFills[level]; n++)
            {
                int number = Number(s, level, n);
                // The limit is lower than the end by the size of an access.
                ulong* limit = (ulong*)((byte*)s + LimitAt(number));
                if ((linear & ~TlbTag.Mask) - ((TlbWindow*)((byte*)s + At(number)))->Base < *limit + 4096)
                {
                    *limit = 0;
                }
            }
        }
    }

    /// <summary>Forgets what was filled after so many others.</summary>
    private static void Forget(CpuState* s, int level, ulong since)
    {
        ulong fills = s->WindowFills[level];
        if (fills - since > Remembered)
        {
            new Span<ulong>((byte*)s + LimitAt(level * Count), Count).Clear();
            since = 0;
        }
        else
        {
            for (ulong n = since; n < fills; n++)
            {
                *(ulong*)((byte*)s + LimitAt(Number(s, level, n))) = 0;
            }

            if (since != 0 && fills > Remembered)
            {
                // The numbers of those before are overwritten.
                return;
            }
        }

        s->WindowFills[level] = since;
        if (since == 0 && level == 0)
        {
            s->WindowFillsBeforeAc = 0;
        }
    }

    private static ushort Number(CpuState* s, int level, ulong fill) => *(ushort*)((byte*)s + NumbersAt(level) + ((int)(fill % Remembered) * sizeof(ushort)));
}
