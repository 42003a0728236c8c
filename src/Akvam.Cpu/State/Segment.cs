namespace Akvam.Cpu.State;

/// <summary>Numbers of the segment registers, in encoding order. [SDM2 B.1.4]</summary>
public static class Segment
{
    public const int Es = 0, Cs = 1, Ss = 2, Ds = 3, Fs = 4, Gs = 5, Ldtr = 6, Tr = 7;
}
