namespace Akvam.Cpu.Msr;

/// <summary>What user space has to say about the guest's MSRs.</summary>
public interface IMsrPolicy
{
    /// <summary>Refused accesses of these kinds user space answers; the others are #GP.</summary>
    MsrRefusal Asks { get; }

    /// <summary>False: the access is refused, whether there is such an MSR or not.</summary>
    bool Allows(uint index, bool isWrite);
}
