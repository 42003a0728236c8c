namespace Akvam.Debugger.Smram;

/// <summary>What would make RSM shut the processor down, as far as it follows from the image alone. Unsupported bits of CR4 and EFER depend on CPUID. [APM2 10.3.3]</summary>
public static class SmramChecks
{
    private const ulong Cr0Pe = 1, Cr0Nw = 1 << 29, Cr0Cd = 1 << 30, Cr0Pg = 1ul << 31;
    private const ulong Cr4Pae = 1 << 5, Cr4Pcide = 1 << 17;
    private const ulong EferLme = 1 << 8, EferSvme = 1 << 12;

    /// <summary>One line for each reason.</summary>
    public static IEnumerable<string> Problems(SmramImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        ulong cr0 = image["CR0"], cr4 = image["CR4"], efer = image["EFER"];
        bool paging = (cr0 & Cr0Pg) != 0, longMode = paging && (efer & EferLme) != 0;
        if (paging && (cr0 & Cr0Pe) == 0)
        {
            yield return "CR0.PG without CR0.PE";
        }

        if ((cr0 & Cr0Nw) != 0 && (cr0 & Cr0Cd) == 0)
        {
            yield return "CR0.NW without CR0.CD";
        }

        foreach (string name in (string[])["CR0", "DR6", "DR7"])
        {
            if (image[name] >> 32 != 0)
            {
                yield return $"{name} above bit 31";
            }
        }

        if (longMode && (cr4 & Cr4Pae) == 0)
        {
            yield return "long mode without CR4.PAE";
        }

        if ((cr4 & Cr4Pcide) != 0 && !longMode)
        {
            yield return "CR4.PCIDE without long mode";
        }

        if (image["SVM guest flag"] != 0 && (efer & EferSvme) == 0)
        {
            yield return "an SVM guest without EFER.SVME";
        }
    }
}
