using Akvam.Cpu.Translator;

namespace Akvam.Cpu.Memory;

/// <summary>Which TLB context number belongs to which address space (SMM or not, PCID), and where large pages may hide.</summary>
/// <remarks>Valid because it is used by the processor's own thread, or with the processor parked.</remarks>
public sealed unsafe class ContextTable
{
    private const int Pcids = 4096;
    private readonly Processor _processor;
    private readonly ushort[] _context = new ushort[2 * Pcids];
    private readonly ulong[] _large = new ulong[64];
    private int _next = 1;

    internal ContextTable(Processor processor) => _processor = processor;

    /// <summary>The context number of an address space.</summary>
    public int Of(int smm, uint pcid)
    {
        ref ushort context = ref _context[(smm * Pcids) + (int)pcid];
        if (context == 0)
        {
            if (_next == TlbTag.Contexts)
            {
                Recycle();
            }

            context = (ushort)_next++;
        }

        return context;
    }

    public void Forget(int smm, uint pcid) => _context[(smm * Pcids) + (int)pcid] = 0;

    public void ForgetAll()
    {
        Array.Clear(_context);
        Array.Clear(_large);
    }

    /// <summary>Notes that the TLB holds a piece of a large page.</summary>
    public void NoteLarge(ulong linear, bool huge)
    {
        // A 4 MiB page covers two frames of 2 MiB: both are noted, whichever kind it is.
        ulong frame = huge ? ~(linear >> 30) : linear >> 21;
        _large[(frame >> 6) & 63] |= huge ? 1ul << (int)(frame & 63) : 3ul << (int)(frame & 62);
    }

    /// <summary>False when no large page around <paramref name="linear"/> was used since the last full flush.</summary>
    public bool MayBeLarge(ulong linear)
    {
        ulong frame = linear >> 21, huge = ~(linear >> 30);
        return (_large[(frame >> 6) & 63] & (1ul << (int)(frame & 63))) != 0 || (_large[(huge >> 6) & 63] & (1ul << (int)(huge & 63))) != 0;
    }

    /// <summary>All numbers are used up: start again with an empty TLB.</summary>
    private void Recycle()
    {
        ForgetAll();
        _next = 1;
        TlbEntry* e = Mem.Entry(_processor.State, 0);
        for (int i = 0; i < Mem.DtlbEntries; i++)
        {
            TlbControl.ForgetEntry(e + i);
        }

        TlbWindow.ForgetAll(_processor.State);
        MmioTlb.ForgetAll(_processor.State);
        _processor.Blocks.ForgetLookups();
    }
}
